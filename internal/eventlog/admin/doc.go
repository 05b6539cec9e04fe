// Package admin is what operators' commands and the start of a role do with a
// cluster besides writing to the log and reading it: it describes topics, brokers
// and consumer groups, and creates and deletes topics.
package admin
