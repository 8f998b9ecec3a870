# What CTDB's event scripts of nlm-failover share; read by them.
# shellcheck shell=sh
set -u
umask 022
export LC_ALL=C
PATH=${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# This installation's, wherever the link to the script lies.
program=${own:?}
program=${program%/*}/../../bin/nlm-failover

run=${NLM_FAILOVER_RUN:-${NLM_FAILOVER_REHEARSAL:-}/run/nlm-failover}

# Whether the process of "nlm-failover ctdb serve" runs.
serves() {
	# "ctdb serve, pid NUMBER"
	{ read -r _ _ _ pid <"$run/locks/ctdb.holder"; } 2>/dev/null && grep -qsz '^serve$' "/proc/$pid/cmdline"
}

# put NAME WORD: as src/ctdb/local.ts has it. What is left where this is killed, the next one takes away.
put() {
	umask 077
	{ printf '%s\n' "$2" >"$run/ctdb/.$1.new"; } 2>/dev/null && mv -f "$run/ctdb/.$1.new" "$run/ctdb/$1" 2>/dev/null
	set -- $?
	umask 022
	return "$1"
}

note_moved() {
	read -r word </proc/sys/kernel/random/uuid && put moved "$word"
}

# released ADDRESS: nobody is recorded for it any more, and its connections go, as in src/ctdb/events.ts; not where it is here.
released() {
	here=$(ip -o address show to "$1/32" 2>/dev/null) || return 1
	if [ -n "$here" ]; then
		echo "$1 is here (again): nothing was touched"
	else
		rm -f "$run/serving/$1" "$run/sync/$1" "$run/frozen/$1" && timeout 5 ss -HtnK state connected src "$1" >/dev/null 2>&1 || return 1
	fi
	note_moved
}

# noted EVENT ARGUMENTS: what the program does with an event while the process runs. The program starts Node, and 40 addresses that come or go at once would
# have CTDB wait for longer than it does (TakeoverTimeout, 9 s). Not 0: the program is to do it.
noted() {
	serves || return 1
	case $1:${3:-} in
	takeip:*[!0-9a-fA-F:.]* | takeip: | releaseip:*[!0-9.]* | releaseip:) return 1 ;;
	takeip:*) note_moved ;;
	# A rehearsal has addresses of its own.
	releaseip:*) [ -z "${NLM_FAILOVER_REHEARSAL:-}" ] && released "$3" ;;
	ipreallocated:* | recovered:*)
		word=
		{ read -r word <"$run/ctdb/moved"; } 2>/dev/null
		put settled "$word"
		;;
	startup:* | startipreallocate:*) ;;
	*) return 1 ;;
	esac
}

# hand_on EVENT ARGUMENTS: never fails the event, and is ended before CTDB takes it for done (30 s, and does not end it).
hand_on() {
	noted "$@" || timeout -k 2 20 "$program" ctdb "$@" || echo "nlm-failover: the event $1 was not noted ($?): what has moved is found later" >&2
}
