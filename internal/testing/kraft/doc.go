// Package kraft starts Apache Kafka for tests: one node or several, each both
// broker and controller, as child processes on free ports of this machine.
//
// `make kafka` brings what it starts. The nodes are run by deploy/kafka/node.sh
// with the settings of deploy/kafka/server.properties.
package kraft
