package cli

import (
	"net/http"
	"net/http/pprof"
	"time"
)

// longestProfile is how long a profile may be taken; what was asked to be longer
// ends then, and is complete up to there.
const longestProfile = 5 * time.Minute

// servePprof adds the profiles of the Go runtime, where `go tool pprof` looks for
// them. The command line is not among them: flags may hold what is nobody's business.
func servePprof(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", longer(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/profile", longer(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/trace", longer(pprof.Trace))
	mux.HandleFunc("GET /debug/pprof/symbol", longer(pprof.Symbol))
	mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
}

// longer gives a profile more time than a probe has: net/http cancels a request
// that takes longer than it may take to be read. The answer's time net/http/pprof
// itself makes longer.
func longer(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(longestProfile)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		handler(w, r)
	}
}
