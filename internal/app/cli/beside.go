package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// refuseBeside refuses servers that are named beside --data, which stands for them: one
// of the two would be ignored.
func refuseBeside(parsed *kong.Context) error {
	data, server := "", ""
	either := false // the command takes one or the other
	for _, group := range parsed.Selected().AllFlags(false) {
		for _, flag := range group {
			either = either || flag.Name == "kafka" || flag.Name == "api-ca"
			switch name := setBy(parsed, flag); {
			case flag.Name == "data":
				data = name
			case server == "" && (isOf(flag.Name, "kafka") || isOf(flag.Name, "clickhouse")):
				server = name
			case server == "" && isOf(flag.Name, "api") && strings.HasPrefix(name, "--"): // PARLEY_API is a connector's, too
				server = name
			}
		}
	}
	if either && data != "" && server != "" {
		return fmt.Errorf("%s is set beside %s, which stands for the servers of a `parley up`: keep one of the two", server, data)
	}
	return nil
}

// isOf reports whether a flag is about a server, such as --kafka and --kafka-user.
func isOf(flag, server string) bool {
	return flag == server || strings.HasPrefix(flag, server+"-")
}

// setBy is what sets a flag, --flag or a variable; "": nothing does.
func setBy(parsed *kong.Context, flag *kong.Flag) string {
	for _, p := range parsed.Path {
		if p.Flag == flag {
			return "--" + flag.Name
		}
	}
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return env
		}
	}
	return ""
}
