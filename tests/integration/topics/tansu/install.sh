#!/bin/sh
# Builds the tansu broker into the folder named, where it is not there yet: install.sh FOLDER.
# It takes minutes the first time, at the lowest priority, so that nothing else waits for it.
set -eu
folder=$1
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
[ -x "$folder/bin/tansu" ] && exit 0
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_INCREMENTAL=false
nice -n 19 cargo install tansu --version 0.6.0 --locked --quiet --debug --features dynostore \
  --root "$folder" --target-dir "$folder/build"
rm -rf "$folder/build"
