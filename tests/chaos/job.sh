# A job of the chaos runs: notes in ./attempts when it starts, while it lives, and when it ends. One short line is one
# write at the end of the file, so lines of jobs that run side by side stay whole.
note() {
  now=$(date +%s%N) || exit 99
  echo "$1 $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $QUEUECTL_FENCE $QUEUECTL_WORKER $$ $PPID $now ${2:--}" >>attempts
}

# Lives for so many tenths of a second.
live() {
  tenths=$1
  while [ "$tenths" -gt 0 ]; do
    sleep 0.1
    note alive
    tenths=$((tenths - 1))
  done
}

note start
code=0
case $1 in
  print) echo "job $QUEUECTL_JOB_ID, attempt $QUEUECTL_ATTEMPT"; echo "on stderr" >&2 ;;
  sleep) live "$2" ;;
  fail) code=3 ;;
  flaky) [ "$QUEUECTL_ATTEMPT" -gt 1 ] || code=4 ;;
esac
note end $code
exit $code
