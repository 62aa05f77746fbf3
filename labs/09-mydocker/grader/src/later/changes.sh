# What a container changes before it is made an image. With $words to write. Its end
# tells that all is done: then it is the process that the graders look for.
cd /root/exam
echo "$words" >new
touch -d @1000000001 new
chmod 4711 new
ln new same
ln -s new soft
mkdir made
chmod 1777 made
# Where there are no other users, it stays root's.
chown 7:8 made 2>/dev/null
echo "$words" >>changed
rm doomed
rm -r full
mkdir full
cat /bin/busybox >big
# So that a report is the same whenever it is made.
touch -d @1000000001 changed made full big
exec sleep 98700
