#!/bin/sh
# Says which arguments it was given, one per line.
echo "exam:count=$#"
number=0
for argument; do
    number=$((number + 1))
    echo "exam:argument $number=<$argument>"
done
