#!/usr/bin/env bash
# Measures dupaudit beside what people would use instead, on the same input:
#   benches/compare.sh file  [RECORDS]             a file of charges, beside DuckDB
#   benches/compare.sh topic HOST:PORT [RECORDS]   an lz4 topic of charges, beside kcat's reading it
# A broker for the second is started by `benches/broker.sh`; DUPAUDIT=PATH measures that build.
set -euo pipefail
cd "$(dirname "$0")/.."
work=target/bench
mkdir -p "$work"
dupaudit=${DUPAUDIT:-target/release/dupaudit}

# Runs a command that must end with CODE; prints its seconds, its peak memory and its name.
measure() {
  python3 - "$@" <<'PYTHON'
import os, subprocess, sys, time
name, expected, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
started = time.monotonic()
child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
seconds = time.monotonic() - started
code = os.waitstatus_to_exitcode(status)
cpu = usage.ru_utime + usage.ru_stime
print(f"{seconds:8.2f} s {cpu:8.2f} s CPU {usage.ru_maxrss / 1024:8.0f} MiB  {name}")
sys.exit(0 if code == expected else f"{name} ended with {code}, not {expected}")
PYTHON
}

generate() {
  local file=$1 records=$2 bytes=$3
  if [[ ! -f $file ]]; then
    cargo bench --quiet --bench generate -- "$records" "$bytes" >"$file.new"
    mv "$file.new" "$file"
  fi
}

compare_file() {
  local records=${1:-10000000} file
  file=$work/charges-$records.jsonl
  generate "$file" "$records" 300
  if [[ ! -x $work/venv/bin/python ]]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" --quiet install duckdb
  fi
  cat >"$work/count.py" <<'PYTHON'
import duckdb, sys
print(duckdb.sql(f"""
  SELECT count(*), sum(copies - 1) FROM (
    SELECT charge_id, count(*) AS copies
    FROM read_json('{sys.argv[1]}', format = 'newline_delimited',
                   columns = {{charge_id: 'VARCHAR'}})
    GROUP BY charge_id HAVING count(*) > 1)
"""))
PYTHON
  echo "$records records, $(du -h "$file" | cut -f1), $(nproc) processors"
  # Both find the file in the page cache.
  cat "$file" >/dev/null
  for _ in 1 2 3; do
    measure dupaudit 1 "$dupaudit" scan "$file" --by charge_id -q -o "$work/report.json"
    measure DuckDB 0 "$work/venv/bin/python" "$work/count.py" "$file"
  done
}

compare_topic() {
  local brokers=$1 records=${2:-5000000} file topic
  file=$work/values-$records.jsonl
  topic=charges-$records
  # 280 bytes of value, and the line end that kcat drops.
  generate "$file" "$records" 281
  if ! kcat -b "$brokers" -L 2>/dev/null | grep -q "\"$topic\""; then
    kcat -P -b "$brokers" -t "$topic" -z lz4 -X linger.ms=50 -X queue.buffering.max.kbytes=262144 \
      -l "$file"
  fi
  echo "$records records of 280 bytes, lz4, $(nproc) processors"
  for _ in 1 2 3; do
    measure dupaudit 1 "$dupaudit" scan -b "$brokers" -t "$topic" --by charge_id -q \
      -o "$work/report.json"
    measure kcat 0 kcat -C -b "$brokers" -t "$topic" -o beginning -e -q
  done
}

[[ -n ${DUPAUDIT-} ]] || cargo build --quiet --release
case ${1-} in
  file) compare_file "${@:2}" ;;
  topic) compare_topic "${@:2}" ;;
  *) sed -n '2,5s/^# //p' "$0"; exit 2 ;;
esac
