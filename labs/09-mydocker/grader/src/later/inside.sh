# What is run in a container that runs: it says where it is, and stays until it is
# killed. With $precious, a file of the host.
say() { echo "exam:$1=$2"; }
say words "$(cat /root/exam/words 2>&1)"
say new "$(cat /root/exam/new 2>&1)"
say host "$(cat "$precious" 2>&1)"
say begun yes
exec sleep 98702
