#!/bin/sh
echo "script $# arguments: $*"
exit 5
