package check

import (
	"encoding/xml"
	"fmt"
	"os"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
)

// merges checks that merges leave ClickHouse memory for inserts and queries.
func merges(_ *types.Project, s types.ServiceConfig) (found []string) {
	if s.Name != "clickhouse" || s.Deploy == nil || s.Deploy.Resources.Limits == nil {
		return nil
	}
	at := slices.IndexFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool {
		return v.Target == "/etc/clickhouse-server/config.d/merges.xml"
	})
	if at < 0 {
		return []string{"it does not read merges.xml"}
	}
	var config struct {
		Memory int64 `xml:"merges_mutations_memory_usage_soft_limit"`
		Part   int64 `xml:"merge_tree>max_bytes_to_merge_at_max_space_in_pool"`
	}
	text, err := os.ReadFile(s.Volumes[at].Source)
	if err == nil {
		err = xml.Unmarshal(text, &config)
	}
	if err != nil {
		return []string{err.Error()}
	}
	most := int64(s.Deploy.Resources.Limits.MemoryBytes)
	if config.Part != most/32 {
		found = append(found, fmt.Sprintf("merges make parts of %d bytes, want %d of %d", config.Part, most/32, most))
	}
	if config.Memory != most/4 {
		found = append(found, fmt.Sprintf("merges begin below %d bytes, want %d of %d", config.Memory, most/4, most))
	}
	return found
}
