// Package parley is a client that tests generate: what they generate is laid over it.
package parley
