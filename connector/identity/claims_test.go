package identity

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A token's claims decide alone, at a given time, whether it counts, and for
// whom.
//
//parley:bound what a token tells of its user
func TestRead(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	sec := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	hour, day := sec(time.Hour), 24*time.Hour
	month := Auth{MaxAge: 30 * day}
	info := func(n int) string { return `,"parley":{"info":"` + strings.Repeat("i", n-2) + `"}}` }
	sub := `{"sub":"ada","exp":` + hour
	for name, c := range map[string]struct {
		auth   Auth
		claims string
		user   string // "": refused
		says   string // of the refusal, or the info
	}{
		"a year":                         {Auth{}, `{"sub":"ada","exp":` + sec(365*day) + `}`, "ada", ""},
		"30 days":                        {month, `{"sub":"ada","iat":` + sec(0) + `,"exp":` + sec(30*day) + `}`, "ada", ""},
		"30 days and a second":           {month, `{"sub":"ada","iat":` + sec(0) + `,"exp":` + sec(30*day+time.Second) + `}`, "", "720h0m0s"},
		"until the year 9999":            {month, `{"sub":"ada","iat":` + sec(0) + `,"exp":253402300799}`, "", "longer"},
		"no iat":                         {month, sub + `}`, "", "it needs iat"},
		"no iat, no bound":               {Auth{}, sub + `}`, "ada", ""},
		"issued 30 s ahead":              {Auth{}, sub + `,"iat":` + sec(30*time.Second) + `}`, "ada", ""},
		"issued 31 s ahead":              {Auth{}, sub + `,"iat":` + sec(31*time.Second) + `}`, "", "future"},
		"valid in 30 s":                  {Auth{}, sub + `,"nbf":` + sec(30*time.Second) + `}`, "ada", ""},
		"valid in 31 s":                  {Auth{}, sub + `,"nbf":` + sec(31*time.Second) + `}`, "", "not valid yet"},
		"expires now":                    {Auth{}, `{"sub":"ada","exp":` + sec(0) + `}`, "", "expired"},
		"expired, within the leeway":     {Auth{}, `{"sub":"ada","exp":` + sec(-time.Second) + `}`, "", "expired"},
		"no expiry":                      {Auth{}, `{"sub":"ada"}`, "", "no expiry"},
		"the issuer":                     {Auth{Issuer: "https://id/"}, sub + `,"iss":"https://id/"}`, "ada", ""},
		"another issuer":                 {Auth{Issuer: "https://id/"}, sub + `,"iss":"https://id"}`, "", "issuer"},
		"no issuer":                      {Auth{Issuer: "https://id/"}, sub + `}`, "", "issuer"},
		"issuers":                        {Auth{Issuer: "id"}, sub + `,"iss":["id"]}`, "", "issuer"},
		"any issuer":                     {Auth{}, sub + `,"iss":7}`, "ada", ""},
		"any audience":                   {Auth{Audience: AnyAudience}, sub + `,"aud":"x"}`, "ada", ""},
		"another audience":               {Auth{Audience: "parley"}, sub + `,"aud":"x"}`, "", "audience"},
		"another claim":                  {Auth{UserClaim: "https://x/name"}, sub + `,"https://x/name":"bob"}`, "bob", ""},
		"another claim, not there":       {Auth{UserClaim: "email"}, sub + `}`, "", "email"},
		"another claim, of another case": {Auth{UserClaim: "email"}, sub + `,"Email":"bob"}`, "", "email"},
		"another claim, a number":        {Auth{UserClaim: "email"}, sub + `,"email":7}`, "", "email"},
		"another claim, no name":         {Auth{UserClaim: "email"}, sub + `,"email":"b\n"}`, "", "email"},
		"for a channel":                  {Auth{}, sub + `,"channel":"lobby"}`, "", "channel"},
		"for a channel, null":            {Auth{}, sub + `,"channel":null}`, "", "channel"},
		"Channel":                        {Auth{}, sub + `,"Channel":"lobby"}`, "ada", ""},
		"info":                           {Auth{}, sub + `,"parley":{"info":{"name": "Ada <3", "n":[1 , null]}}}`, "ada", `{"name":"Ada <3","n":[1,null]}`},
		"info that is a number":          {Auth{}, sub + `,"parley":{"info":7}}`, "ada", `7`},
		"info that is false":             {Auth{}, sub + `,"parley":{"info":false}}`, "ada", `false`},
		"no info":                        {Auth{}, sub + `,"parley":{"grants":[]}}`, "ada", ``},
		"null":                           {Auth{}, sub + `,"parley":{"info":null}}`, "ada", ``},
		"info of 512 bytes":              {Auth{}, sub + info(512), "ada", `"` + strings.Repeat("i", 510) + `"`},
		"info of 513 bytes":              {Auth{}, sub + info(513), "", "512"},
		"blanks do not count":            {Auth{}, sub + `,"parley":{"info":[` + strings.Repeat(" ", 600) + `]}}`, "ada", `[]`},
		"parley is a string":             {Auth{}, sub + `,"parley":"x"}`, "", "object"},
		"parley is null":                 {Auth{}, sub + `,"parley":null}`, "", "object"},
		"parley is a list":               {Auth{}, sub + `,"parley":[]}`, "", "object"},
		"info twice":                     {Auth{}, sub + `,"parley":{"info":1,"info":2}}`, "", "twice"},
	} {
		u, err := c.auth.read([]byte(c.claims), now)
		if u.Name != c.user || (err == nil) != (c.user != "") {
			t.Errorf("%s: %q, %v", name, u.Name, err)
		}
		if err == nil && string(u.Info) != c.says || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: info %s, error %v, want %s", name, u.Info, err, c.says)
		}
	}
}

// A token is expired alone when nothing else is wrong with it: only then a fresh
// one would help.
func TestOnlyExpired(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	auth := Auth{Issuer: "id", Audience: "parley", MaxAge: time.Hour}
	right := map[string]string{"sub": `"ada"`, "exp": "1789999999", "iat": "1789999000", "iss": `"id"`, "aud": `"parley"`, "parley": `{"info":1}`}
	for name, change := range map[string][2]string{
		"nothing": {"x", "1"}, "the user": {"sub", `""`}, "the issuer": {"iss", `"x"`}, "the audience": {"aud", `"x"`}, "iat": {"iat", "1789990000"},
		"nbf": {"nbf", "1790000100"}, "a channel": {"channel", `"x"`}, "info": {"parley", "1"}, "exp": {"exp", "1790000001"},
	} {
		var all []string
		for claim, value := range right {
			if claim != change[0] {
				all = append(all, `"`+claim+`":`+value)
			}
		}
		all = append(all, `"`+change[0]+`":`+change[1])
		_, err := auth.read([]byte("{"+strings.Join(all, ",")+"}"), now)
		if expired := errors.Is(err, ErrExpired); expired != (name == "nothing") || (err == nil) != (name == "exp") {
			t.Errorf("with another %s: %v", name, err)
		}
	}
}
