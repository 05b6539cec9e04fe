// Package rules knows what parley.rules holds: which tokens are revoked, who is
// barred, what is granted to users beyond their tokens, and orders about
// sessions.
//
// [Decode] and [Table] are pure: a Table is the fold of the topic's records. A
// [Follower] keeps a Table at the end of the topic, and [Write] and [Revoke]
// append to it.
package rules
