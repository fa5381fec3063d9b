#!/bin/sh
# Instead of ssh: agent.sh HOST COMMAND... runs the command on that "host", with
# a clean environment.  BALANS_HOSTS is the folder with HOST.pid files.
host=$1
shift
exec nsenter -t "$(cat "$BALANS_HOSTS/$host.pid")" -n -u -m \
    env -i HOME=/ PATH=/usr/local/bin:/usr/bin:/bin sh -c "$*"
