/**
 * Every command once in each round. bash's `time` has its numbers from getrusage(2), in ms, where perl's and Node's are
 * clock ticks or this process's own. Prints "<index> <user> <system> <elapsed>" lines, in seconds.
 */
export const timer = `
runs=$1; shift
for ((round = -2; round < runs; round++)); do
  index=0; command=()
  for word in "$@" --; do
    if [ "$word" != -- ]; then command+=("$word"); continue; fi
    TIMEFORMAT="$index %U %S %R"
    if [ "$round" -lt 0 ]; then TIMEFORMAT=; fi
    { time "\${command[@]}" >/dev/null 2>&3; } 3>&2 2>&1
    index=$((index + 1)); command=()
  done
done
`;
