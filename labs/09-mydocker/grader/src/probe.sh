# What the graders run in a container: it says what it finds, a line a fact.
#   $1  words to write    $2  a file of the host    $3  where the volume is
say() { echo "exam:$1=$2"; }

# 1. What needs no other process: in a half new PID namespace none can start.
say pid "$$"
read -r pid rest </proc/self/stat && say proc "$pid"
say begun yes
read -r go

# 2. The root file system.
say words "$(cat /root/exam/words 2>&1)"
say hidden "$(cat /.words 2>&1)"
stat -c 'exam:%n=%F %a %Y' / /root/exam/*
say link "$(readlink /root/exam/link)"
[ /root/exam/one -ef /root/exam/two ] && say twins yes
[ -e /root/exam/new ] && say earlier "$(cat /root/exam/new)"
say host "$(cat "$2" 2>&1)"
[ -c /dev/null ] && echo "$1" >/dev/null && say null yes

# 3. Changes.
echo "$1" >/root/exam/new
rm /root/exam/doomed
chmod 600 /root/exam/changed
echo "$1" >>/root/exam/changed
if [ -d "$3" ]; then
    say volume "$(cat "$3/keep" 2>&1)"
    echo "$1" >"$3/new"
fi
say changed yes
read -r code
exit "$code"
