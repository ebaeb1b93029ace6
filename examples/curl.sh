#!/usr/bin/env bash
# From spikes to rates, fixed points and parameters with nothing but curl.
#
#   examples/curl.sh [data.npz [folder]]
#
# Without data the server simulates some. LATENTD_SERVER is the server's address, LATENTD_KEY a key
# where it wants one, HYPERPARAMETERS and DEVICE say what is trained and on what. Writes rates.npz,
# fixed_points.json and parameters.npz into the folder. Exit codes: 0 done, 1 the server refused or the
# run failed.
set -euo pipefail

server=${LATENTD_SERVER:-http://127.0.0.1:8000}
hyperparameters=${HYPERPARAMETERS:-'{"generatorUnits": 16, "encoderUnits": 16, "factors": 4, "steps": 500}'}
device=${DEVICE:-auto}
folder=${2:-.}
mkdir -p "$folder"
data=${1:-$folder/data.npz}
npz='content-type: application/x-npz'

options=(--silent --show-error --fail-with-body)
if [ -n "${LATENTD_KEY:-}" ]; then options+=(--header "authorization: Bearer $LATENTD_KEY"); fi

# ask PATH [curl's options]: prints the answer, or what the server says is wrong
ask() {
  local path=$1 answer
  shift
  answer=$(curl "${options[@]}" "$@" "$server$path") || { echo "$path: $answer" >&2; return 1; }
  echo "$answer"
}

# download FILE PATH [curl's options]
download() {
  local file=$1 path=$2
  shift 2
  if ! curl "${options[@]}" "$@" --output "$file.part" "$server$path"; then
    [ -f "$file.part" ] && { cat "$file.part" >&2; rm "$file.part"; }
    return 1
  fi
  mv "$file.part" "$file"
}

# field NAME: a text of the JSON on stdin
field() { sed -nE "s/.*\"$1\":\"([^\"]*)\".*/\1/p"; }

if [ $# -eq 0 ]; then
  simulated=$(ask /v1/datasets --json '{"kind": "rotation", "trials": 100, "N": 30, "binWidth": 0.01}' | field id)
  download "$data" "/v1/datasets/$simulated/file"
  echo "data.npz: simulated"
fi

# 1. the spikes
dataset=$(ask /v1/datasets --header "$npz" --data-binary "@$data" | field id)
echo "dataset $dataset"

# 2. a run, and its events until it is over; where the connection is lost, on behind the last one
run=$(ask /v1/runs --json "{\"dataset\": \"$dataset\", \"hyperparameters\": $hyperparameters, \"device\": \"$device\"}" | field id)
echo "run $run"
last=0 state='' lost=0
until [[ $state =~ ^(completed|failed|cancelled)$ ]]; do
  while IFS= read -r line; do
    case $line in
      id:*) id=${line#id: } ;;
      data:*)
        last=$id lost=0
        if [[ $line == *'"kind":"state"'* ]]; then
          state=$(field state <<< "$line")
          echo "  $state"
        elif [[ $line =~ '"step":'([0-9]+).*'"evaluation":{"total":'[^,]*',"nll":'([^,]*) ]]; then
          printf '  step %d: nll %.2f\n' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
        fi
        ;;
    esac
  done < <(curl "${options[@]}" --no-buffer --header "last-event-id: $last" "$server/v1/runs/$run/events")
  [[ $state =~ ^(completed|failed|cancelled)$ ]] && break
  if [ $((lost += 1)) -gt 60 ]; then
    echo "The server is gone." >&2
    exit 1
  fi
  sleep 1
done
ended=$(ask "/v1/runs/$run")
if [ "$state" != completed ]; then
  echo "The run is $state: $(field failure <<< "$ended")" >&2
  exit 1
fi
model=$(field model <<< "$ended")
echo "model $model"

# 3. rates and latents of every trial
download "$folder/rates.npz" "/v1/models/$model/infer?samples=64" --header "$npz" --data-binary "@$data"
echo "rates.npz"

# 4. fixed points
download "$folder/fixed_points.json" "/v1/models/$model/fixed-points" --json "{\"dataset\": \"$dataset\"}"
echo "fixed_points.json: $(grep -o '"class":"[^"]*"' "$folder/fixed_points.json" | sort | uniq -c | xargs)"

# 5. what was learned
download "$folder/parameters.npz" "/v1/models/$model/parameters" --header 'accept: application/x-npz'
echo "parameters.npz"
