#!/usr/bin/env bash
# Runs one Apache Kafka broker on a port of this machine until it is interrupted:
#   benches/broker.sh [PORT]
# Prints its address, then the folder that its log is in.
set -euo pipefail
cd "$(dirname "$0")/.."
port=${1:-19092}
controller=$((port + 1))
folder=target/bench/kafka-4.1.0
mkdir -p "$folder"
if [[ ! -d $folder/libraries ]]; then
  mvn -q -B -f tests/kafka.pom.xml dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$PWD/$folder/partial" >&2
  mv "$folder/partial" "$folder/libraries"
fi
data=$(mktemp -d)
trap 'kill "$broker" 2>/dev/null || true; wait "$broker" 2>/dev/null || true; rm -rf "$data"' EXIT
cat >"$data/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAIN://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
log.dirs=$data/log
num.partitions=4
offsets.topic.replication.factor=1
PROPERTIES
kafka() { java -Xmx1g -cp "$folder/libraries/*" "$@"; }
kafka kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qg -c "$data/server.properties" >/dev/null
java -Xmx1g -cp "$folder/libraries/*" kafka.Kafka "$data/server.properties" \
  >"$folder/broker.log" 2>&1 &
broker=$!
echo "127.0.0.1:$port"
echo "$data"
wait "$broker"
