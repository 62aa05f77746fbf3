# What the graders run in a container: it says what it finds, one fact per line.
# It takes no argument, so that it also runs where arguments are lost:
#   $words  to write    $precious  a file of the host    $volume  where that is
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
say host "$(cat "$precious" 2>&1)"
[ -c /dev/null ] && echo "$words" >/dev/null && say null yes

# 3. Changes.
echo "$words" >/root/exam/new
# On the host, where these files are not, nothing is said of that.
rm -f /root/exam/doomed
[ -e /root/exam/changed ] && chmod 600 /root/exam/changed
echo "$words" >>/root/exam/changed
if [ -d "$volume" ]; then
    say volume "$(cat "$volume/keep" 2>&1)"
    echo "$words" >"$volume/new"
fi
say changed yes
read -r code
exit "$code"
