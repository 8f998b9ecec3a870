# What CTDB's event scripts of nlm-failover share; read by them.
# shellcheck shell=sh
set -u
umask 022
export LC_ALL=C
PATH=${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# This installation's, wherever the link to the script lies.
program=$(dirname -- "$(readlink -f -- "$0")")/../../bin/nlm-failover

# hand_on EVENT ARGUMENTS: never fails the event, and is ended before CTDB takes it for done (30 s, and does not end it).
hand_on() {
	timeout -k 2 20 "$program" ctdb "$@" || echo "nlm-failover: the event $1 was not noted ($?): what has moved is found later" >&2
}
