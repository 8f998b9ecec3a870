# shellcheck shell=sh
# -ef, -O: dash, bash, ksh and busybox have them. What an agent alone uses: frozen.
# shellcheck disable=SC3013,SC3067,SC2034
# What the OCF agents in ../ocf have in common; each of them sources this, and those of an address then run `ocf_main "$@"`.
#
# It decides nothing about locks: start and stop are takeover and release of the command, and what that says is what the cluster manager
# shows. Without ocf-shellfuncs, which cost more than all that a monitor looks at, and which not everybody has who runs OCF agents.
#
# An agent of an address defines
#   ocf_meta_data   prints its meta-data
#   ocf_look        without node: returns OCF_SUCCESS, OCF_ERR_GENERIC or OCF_NOT_RUNNING, with why in $why
#   ocf_judge       monitor at depth 10
#   ocf_probe       where ocf_look says that nothing is here, or is in doubt ($doubt), and Pacemaker does not know yet
#   ocf_start       what start does where ocf_look does not say that it runs
#   ocf_stop        what stop does

export LC_ALL=C
# Where ip(8) is; not every service manager has it there.
PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin

OCF_SUCCESS=0
OCF_ERR_GENERIC=1
OCF_ERR_ARGS=2
OCF_ERR_UNIMPLEMENTED=3
OCF_ERR_INSTALLED=5
OCF_ERR_CONFIGURED=6
OCF_NOT_RUNNING=7

default_config=/etc/nlm-failover.toml
address=${OCF_RESKEY_address-}
config=${OCF_RESKEY_config:-$default_config}
# Pacemaker has its version with each action (ocf_version_cmp in resource-agents asks the same). Others that run OCF agents, as
# drbd-reactor does, have names of their own, of which Pacemaker knows nothing: whether a node is down is not its to say there.
resource=
[ -z "${OCF_RESKEY_crm_feature_set-}" ] || resource=${OCF_RESOURCE_INSTANCE-}
# A rehearsal stands for the machine (ENVIRONMENT in nlm-failover(8)).
root=${NLM_FAILOVER_REHEARSAL-}
run=${NLM_FAILOVER_RUN:-$root/run/nlm-failover}
# What the driver lockd-netns makes: src/lockmanager/lockd-netns/place.ts.
instance=$root/run/nlm-failover/instances/$address
netns=$root/run/netns/nfs-$address

# Seconds for which the command may run; empty: as long as it takes.
bound=

# For the log of the cluster manager, which keeps standard error.
say() { printf '%s\n' "$*" >&2; }

# Why an action failed, for people: one line, which Pacemaker shows beside the failure; a parameter that is in it may have several.
exit_reason() {
	case $* in
	*[[:cntrl:]]*) set -- "$(printf '%s' "$*" | tr '[:cntrl:]' '?')" ;;
	esac
	printf '%s%s\n' "${OCF_EXIT_REASON_PREFIX:-ocf-exit-reason:}" "$*" >&2
}

# The program of this installation, as node must be told of it: without symbolic links and "..".
own_program() { readlink -f -- "${self%/*}/../../bin/nlm-failover"; }

# ---- what stands in the environment

# A closed list of bytes: none of them means anything to a shell or in a path.
is_address() {
	case $address in
	'' | *[!0-9a-f.:]* | .*) return 1 ;;
	esac
	[ ${#address} -le 45 ]
}

# What is wrong with a parameter itself is so on every node: with OCF_ERR_CONFIGURED Pacemaker starts it on none. What is wrong with the file
# of this node is OCF_ERR_ARGS, as another node's may be right (Pacemaker Administration, "OCF Return Codes").
has_address() {
	is_address && return
	if [ -z "$address" ]; then
		exit_reason 'the parameter address is missing: give the floating IP as nlm-failover status prints it, such as 10.10.1.1'
		return "$OCF_ERR_CONFIGURED"
	fi
	exit_reason 'address must be that of a [[floating_ip]] in the configuration, without its prefix length, letters in lower case'
	return "$OCF_ERR_CONFIGURED"
}

has_program() {
	program=${OCF_RESKEY_program:-$(own_program)}
	if [ -f "$program" ] && [ -x "$program" ]; then return; fi
	exit_reason "the program ${program:-nlm-failover} is not installed here"
	return "$OCF_ERR_INSTALLED"
}

has_config() {
	[ ! -f "$config" ] || return 0
	exit_reason "there is no file $config on this node: copy it from another node, or name the file in the parameter config"
	return "$OCF_ERR_ARGS"
}

# ---- the command

# tool WORD...: runs it. What it said is in $said; in $reason its own sentence and what to do, on one line; in $answer that of
# "status --is-served". Returns its exit code.
tool() {
	# shellcheck disable=SC2086 # two words, or none
	said=$(${bound:+timeout $bound} "$program" "$@" 2>&1 </dev/null)
	code=$?
	reason='' answer=''
	while IFS= read -r line; do
		case $line in
		*' is served here' | *' is served here, and not well: '* | *' is not served here') answer=$line ;;
		'nlm-failover: '*) reason=${line#nlm-failover: } ;;
		# Each mistake in the configuration has a line.
		"$config: "*) reason="${reason:+$reason; }${line#"$config: "}" ;;
		'    at '*) ;; # a stack: a defect of the program
		'  '*)
			[ -n "$reason" ] || continue
			case $reason in
			*[.:]) reason="$reason ${line#  }" ;;
			*) reason="$reason. ${line#  }" ;;
			esac
			;;
		esac
	done <<-END
		$said
	END
	[ -n "$reason" ] || reason="nlm-failover $1 ended with $code"
	return "$code"
}

# tool_alone WORD...: the same, as soon as no other command works on the address here, as one that somebody runs by hand: a stop that failed for
# that would fence the node. How long that may take is the cluster manager's to say.
tool_alone() {
	waits=
	while
		tool "$@"
		code=$?
		case $code,$reason in
		1,'Another nlm-failover is working on '*) ;;
		*) false ;;
		esac
	do
		[ -n "$waits" ] || say "waiting: $reason"
		waits=1
		sleep 1
	done
	return "$code"
}

# What status says of the address on this node, and why in $why.
ask_status() {
	tool status --is-served --config="$config" "$address"
	code=$?
	why=${answer:-$reason}
	case $code in
	0) return "$OCF_SUCCESS" ;;
	7) return "$OCF_NOT_RUNNING" ;;
	# The configuration of this node is not right, or does not have this address.
	2 | 3) return "$OCF_ERR_ARGS" ;;
	126 | 127) return "$OCF_ERR_INSTALLED" ;;
	*) return "$OCF_ERR_GENERIC" ;;
	esac
}

# tool_start WORD...: takeover, or some steps of it. What could not be told to a client, or did not come back, is no failure of the start:
# another node could do nothing about it.
tool_start() {
	[ -z "$resource" ] || set -- "--resource=$resource" "$@"
	tool_alone takeover --config="$config" "$@" "$address"
	code=$?
	case $code in
	0) printf '%s\n' "$said" ;;
	5 | 6)
		say "$said"
		say "takeover of $address ended with $code, and the address is served: see nlm-failover audit $address"
		;;
	126 | 127)
		exit_reason "$program cannot be run: $said"
		return "$OCF_ERR_INSTALLED"
		;;
	*)
		say "$said"
		failure=$reason
		# Nothing was touched: the configuration is not right, or this node cannot do what it says.
		case $code in
		2 | 3)
			ask_status
			if [ $? -eq "$OCF_ERR_ARGS" ]; then
				exit_reason "$why"
				return "$OCF_ERR_ARGS"
			fi
			;;
		esac
		exit_reason "$failure"
		return "$OCF_ERR_GENERIC"
		;;
	esac
}

# tool_stop WORD...: a command that takes something of the address away here, and says when it could not. A failure means that this node is
# fenced, so it is none where nothing is here that the command could have taken away.
tool_stop() {
	# Without a usable configuration a release goes by the one with which the address was taken over: src/rundir/configuration.ts.
	if ! has_program 2>/dev/null || [ ! -r "$config" ] && [ ! -r "$run/configured/$address.toml" ]; then
		if nothing_here; then return "$OCF_SUCCESS"; fi
		if has_program; then
			exit_reason "$address may be here still ($why), and there is no $config to release it by"
		else
			say "$address may be here still ($why)"
		fi
		return "$OCF_ERR_GENERIC"
	fi
	# What cannot be the id of a resource is no reason to fail.
	case $resource in
	'' | [!A-Za-z_]* | *[!A-Za-z0-9._-]*) ;;
	*) set -- "$@" "--resource=$resource" ;;
	esac
	tool_alone "$@"
	code=$?
	case $code in
	0)
		printf '%s\n' "$said"
		return "$OCF_SUCCESS"
		;;
	# Nothing was touched: the configuration is not right, or this node cannot do what it says.
	2 | 3 | 126 | 127)
		failure=$reason
		ask_status
		code=$?
		case $code in
		"$OCF_ERR_ARGS" | "$OCF_ERR_INSTALLED")
			if nothing_here; then code=$OCF_NOT_RUNNING; else failure="$failure; $address may be here still ($why)"; fi
			;;
		esac
		if [ "$code" -eq "$OCF_NOT_RUNNING" ]; then
			say "$failure; nothing of $address is here"
			return "$OCF_SUCCESS"
		fi
		exit_reason "$failure"
		;;
	*)
		say "$said"
		exit_reason "$reason"
		;;
	esac
	return "$OCF_ERR_GENERIC"
}

# ---- what can be seen without the command

# ill SENTENCE: the first one stays.
ill() { [ -n "$why" ] || why=$*; }

# Where the address is served from here, if it is, and where the callout finds its links there: src/rundir/serving.ts.
find_place() {
	place=node
	links=$run
	if [ -e "$instance" ] || [ -e "$netns" ]; then
		place=instance
		links=$instance/run/nlm-failover
	fi
	link=$links/serving/$address
	frozen=$links/frozen/$address
}

is_up() {
	if [ -n "$root" ]; then
		grep -qF "\"local\":\"$address\"" "$root/addresses.json"
		return
	fi
	case $address in
	*:*) family=-6 ;;
	*) family=-4 ;;
	esac
	case $place in
	instance) up=$(ip -n "nfs-$address" "$family" -o address show to "$address" 2>/dev/null) ;;
	node) up=$(ip "$family" -o address show to "$address" 2>/dev/null) ;;
	esac
	case $up in
	# Duplicate address detection runs again when the link was down: the kernel does not use it.
	*' dadfailed '*) ill "another host has $address too (IPv6 duplicate address detection)" ;;
	esac
	[ -n "$up" ]
}

# is_daemon PID NAME NETNS: a process of this name runs in that network namespace. A zombie is in none.
is_daemon() {
	name=
	{ read -r name <"/proc/$1/comm"; } 2>/dev/null
	[ "$name" = "$2" ] && [ "/proc/$1/ns/net" -ef "$3" ]
}

# is_inside PID NAME: a daemon of the instance, with its mounts. In a user namespace of its own a process could have any root directory.
is_inside() {
	is_daemon "$1" "$2" "$netns" && [ "/proc/$1/ns/mnt" -ef "$instance/mnt" ] && [ "/proc/$1/ns/user" -ef /proc/self/ns/user ]
}

# find_daemons TEST NAME...: their pids, 0 for one that does not run, in $pids. TEST: see is_inside.
find_daemons() {
	test=$1
	shift
	pids=
	for wanted; do
		found=0
		for process in /proc/[0-9]*; do
			"$test" "${process#/proc/}" "$wanted" || continue
			found=${process#/proc/}
			break
		done
		pids="$pids $found"
	done
}

# is_on_node PID NAME: any user may give a process that name, so a program of root's, in no user namespace of its own; and run that very program
# with a library of his own in it, so none of an ordinary user's (login.defs(5), UID_MIN), unless statd's is one.
is_on_node() {
	is_daemon "$1" "$2" /proc/self/ns/net || return
	[ "/proc/$1/ns/user" -ef /proc/self/ns/user ] && [ -O "/proc/$1/exe" ] || return
	case $(readlink -- "/proc/$1/exe") in
	*/"$2" | */"$2 (deleted)") ;;
	*) return 1 ;;
	esac
	effective=65534
	{ while read -r key _ effective _; do
		[ "$key" != Uid: ] || break
	done <"/proc/$1/status"; } 2>/dev/null
	[ "${effective:-65534}" -lt 1000 ] || is_statd_user "$effective"
}

# is_statd_user UID: the owner of statd's directory, as src/host/reading/statd.ts has it. Without a user of its own statd is built for nobody
# (nfs-utils configure.ac, statduser).
is_statd_user() {
	for directory in /var/lib/nfs/statd/sm /var/lib/nfs/sm; do
		owner=$(stat -c %u "$directory" 2>/dev/null) || continue
		[ "$owner" = "$1" ]
		return
	done
	return 1
}

# nfsd_runs DIRECTORY: nfsd has threads. Where its file system lies elsewhere ([lock_manager].nfsd) that is left to depth 10.
nfsd_runs() {
	threads=
	[ -r "$1/threads" ] || return 0
	read -r threads <"$1/threads"
	[ "$threads" != 0 ] || ill 'nfsd has no threads'
}

# That of the node itself.
statd_runs() {
	[ -z "$root" ] || return 0
	statd=
	{ read -r statd </run/rpc.statd.pid; } 2>/dev/null
	case $statd in '' | *[!0-9]*) statd=0 ;; esac
	if is_on_node "$statd" rpc.statd; then return; fi
	find_daemons is_on_node rpc.statd
	[ "$pids" != ' 0' ] || ill 'rpc.statd is dead'
}

# The lock manager of the node itself: drivers lockd and nlm-fsid.
node_daemons() {
	statd_runs
	nfsd_runs "$root/proc/fs/nfsd"
}

# Those of an instance. Their pids are kept, in a directory of root's alone, so that not every process of the node is looked at each time;
# they are believed only as long as these are the daemons. In the instance's own /run, which is there as long as it is whole: a file
# beside it would be in the way of whoever clears a half-built one away.
instance_daemons() {
	rpcbind=0 statd=0 mountd=0
	{ read -r rpcbind statd mountd <"$instance/run/daemons"; } 2>/dev/null
	if ! { is_inside "$rpcbind" rpcbind && is_inside "$statd" rpc.statd && is_inside "$mountd" rpc.mountd; }; then
		find_daemons is_inside rpcbind rpc.statd rpc.mountd
		{ echo "$pids" >"$instance/run/daemons"; } 2>/dev/null
		read -r rpcbind statd mountd <<-END
			$pids
		END
		[ "$rpcbind" != 0 ] || ill 'rpcbind is dead'
		[ "$statd" != 0 ] || ill 'rpc.statd is dead'
		[ "$mountd" != 0 ] || ill 'rpc.mountd is dead'
	fi
	# nfsd's file system is mounted inside only.
	[ "$statd" = 0 ] || nfsd_runs "/proc/$statd/root/proc/fs/nfsd"
}

# is_locked FILE: a process has its lock, as the kernel lists it (proc_locks(5), the device of stat(2) as in makedev(3)). Its pid in $pid.
#
# The kernel gives the list a page at a time, and leaves some out where others come and go between two pages (fs/seq_file.c, fs/locks.c,
# locks_start): so it is read in large pieces, and again where the lock is not found. While two processes took and left sixty locks each, a shell's
# own "read", a byte at a time, missed one in four looks of five, one reading by grep in one of fifty.
is_locked() {
	file=$(stat -c '%d %i' "$1" 2>/dev/null) || return
	device=${file% *}
	major=$((device >> 8 & 0xfff)) minor=$((device & 0xff | device >> 12 & 0xfff00))
	file=$(printf '%02x:%02x:%s' "$major" "$minor" "${file#* }")
	for _ in 1 2 3 4 5; do
		locked=$(grep -m 1 "^[0-9]*: POSIX .* $file " /proc/locks) || continue
		# shellcheck disable=SC2086
		set -- $locked
		pid=$5
		return 0
	done
	return 1
}

# Whether a command works on another address here (src/rundir/operation-lock.ts).
is_busy_beside() {
	for lock in "$run"/locks/*; do
		case ${lock##*/} in "$address" | *[!0-9A-Fa-f.:]*) continue ;; esac
		if is_locked "$lock"; then return; fi
	done
	return 1
}

# Whether its clients are recorded.
look_at_record() {
	if [ ! -h "$link" ]; then
		ill 'its clients are not recorded'
	elif [ ! -f "$link" ]; then
		ill 'its journal is gone, so that no client is recorded'
	fi
}

# Its volumes, a line for each: number of the device or "-", device, mount point; "-" for what is not known. What this node mounted by its note
# (src/rundir/mounts.ts), then by the words of the configuration as they are commonly written, unless others mount it.
volumes() {
	note=$run/mounts/$address
	set --
	[ ! -r "$note" ] || set -- "$note"
	[ ! -f "$config" ] || [ ! -r "$config" ] || set -- "$@" "$config"
	[ $# -gt 0 ] || return 0
	ADDRESS=$address NOTE=$note awk '
		# In the words of /proc/self/mountinfo.
		function value(text) {
			sub(/^[^=]*=[ \t]*["\047]/, "", text)
			sub(/["\047].*/, "", text)
			gsub(/\\/, "\\134", text)
			gsub(/ /, "\\040", text)
			return text
		}
		FILENAME == ENVIRON["NOTE"] { if (NF > 2) print $1, $2, $3; next }
		/^[ \t]*\[\[[ \t]*floating_ip[ \t]*\]\]/ { ours = others = 0 }
		/^[ \t]*managed_by_others[ \t]*=.*["\047]mount["\047]/ { others = 1 }
		/^[ \t]*address[ \t]*=/ {
			text = value($0)
			sub(/\/.*/, "", text)
			ours = text == ENVIRON["ADDRESS"]
		}
		/^[ \t]*device[ \t]*=/ && ours && !others { print "-", value($0), "-" }
		/^[ \t]*mountpoint[ \t]*=/ && ours && !others { print "-", "-", value($0) }
	' "$@"
}

# Whether a volume of the address is mounted, in $mounted: in its place, or its device anywhere. That is what a takeover leaves that was ended in
# B-1, or a release that could not unmount. A file system with many devices has a number of its own, 0:N.
is_mounted() {
	mounted=$(volumes | awk '
		NR == FNR { numbers[$3]; there[$5]; if ($3 ~ /^0:/) many[$5]; next }
		$1 == "-" ? $3 in there : ($1 in numbers || $3 in many) { print $3; exit }
	' "$root/proc/self/mountinfo" -)
	[ -n "$mounted" ]
}

# is_of_volume PROCESS: it has a device or mount point of the address among its arguments.
is_of_volume() {
	words=$(tr '\000\n' '\n ' <"$1/cmdline" 2>/dev/null)
	[ -n "$words" ] || return 1
	volumes | WORDS=$words awk '
		BEGIN {
			count = split(ENVIRON["WORDS"], given, "\n")
			for (i = 2; i <= count; i++) {
				gsub(/\\/, "\\134", given[i])
				gsub(/ /, "\\040", given[i])
				if (given[i] != "-") words[given[i]]
			}
		}
		$2 in words || $3 in words { found = 1 }
		END { exit !found }
	'
}

# Whether a volume of the address is mounted, unmounted or repaired at this moment, by whom in $mounting: a command that was killed may leave
# such a process, and what it mounts appears later. Only root's: nobody else's name and arguments mean anything.
is_mounting() {
	for process in "$root"/proc/[0-9]*; do
		name=
		{ read -r name <"$process/comm"; } 2>/dev/null
		case $name in
		mount | mount.* | umount | umount.* | fsck | fsck.* | e2fsck | xfs_repair) ;;
		*) continue ;;
		esac
		uids=
		while read -r key uids; do
			[ "$key" != Uid: ] || break
		done 2>/dev/null <"$process/status"
		# shellcheck disable=SC2086 # real, effective, saved, and that for files
		set -- $uids
		[ "$*" = '0 0 0 0' ] || continue
		is_of_volume "$process" || continue
		mounting="$name (pid ${process##*/})"
		return
	done
	mounting=
	return 1
}

# nothing_here: as far as it can be seen without the command, for a stop that cannot ask it.
nothing_here() {
	patience=10
	while is_mounting; do
		if [ "$patience" -eq 0 ]; then
			why="$mounting still works on a volume of it"
			return 1
		fi
		patience=$((patience - 1))
		sleep 1
	done
	why=
	ocf_look
	[ $? -eq "$OCF_NOT_RUNNING" ]
}

# ---- the actions

ocf_monitor() {
	doubt=
	ocf_look
	code=$?
	case ${OCF_CHECK_LEVEL:-${OCF_RESKEY_OCF_CHECK_LEVEL:-0}} in
	0 | *[!0-9]*) ;;
	*)
		if [ "$code" -eq "$OCF_SUCCESS" ]; then
			ocf_judge
			code=$?
		fi
		;;
	esac
	if [ "$code" -eq "$OCF_NOT_RUNNING" ] || [ -n "$doubt" ] && [ "${OCF_RESKEY_CRM_meta_interval:-0}" = 0 ]; then
		ocf_probe
		code=$?
	fi
	case $code in
	"$OCF_ERR_GENERIC") exit_reason "$why" ;;
	# News where it was to run; a probe only asks.
	"$OCF_NOT_RUNNING") [ "${OCF_RESKEY_CRM_meta_interval:-0}" = 0 ] || exit_reason "$why" ;;
	esac
	return "$code"
}

# A probe decides whether another node may start it, so the command is asked, which knows every spelling of the configuration. Where it cannot
# be, or not in the time that a probe has, what could be seen without it ($code) stands. It knows too whether what is mounted where a volume
# of the address should be is that volume: a resource that is failed here would be stopped where it runs.
probe_by_status() {
	seen=$code
	if ! has_program 2>/dev/null; then return "$seen"; fi
	before=$why
	bound=15
	ask_status
	verdict=$?
	bound=
	case ${answer:+$verdict} in
	"$OCF_SUCCESS" | "$OCF_ERR_GENERIC") return "$OCF_ERR_GENERIC" ;;
	"$OCF_NOT_RUNNING") return "$OCF_NOT_RUNNING" ;;
	esac
	why=$before
	return "$seen"
}

# monitor at depth 10, where all looks well. Where the command cannot be asked, a mistake in the configuration say, nothing is stopped for that:
# the stop would need it too, and fail.
judge_by_status() {
	if ! has_program; then return "$OCF_SUCCESS"; fi
	ask_status
	code=$?
	case $code in
	"$OCF_ERR_ARGS" | "$OCF_ERR_INSTALLED")
		say "$address could not be looked at closely: $why"
		return "$OCF_SUCCESS"
		;;
	esac
	return "$code"
}

ocf_validate() {
	has_program || return
	has_config || return
	ask_status
	code=$?
	case $code in
	"$OCF_ERR_ARGS" | "$OCF_ERR_INSTALLED")
		exit_reason "$why"
		return "$code"
		;;
	esac
	case $answer in
	'' | "$address "*) return "$OCF_SUCCESS" ;;
	esac
	exit_reason "address must be written as nlm-failover writes it: ${answer%% *}"
	return "$OCF_ERR_CONFIGURED"
}

ocf_usage() { echo "usage: ${self##*/} start|stop|monitor|validate-all|meta-data" >&2; }

ocf_main() {
	why=
	case ${1-} in
	meta-data)
		ocf_meta_data
		exit "$OCF_SUCCESS"
		;;
	start | monitor | validate-all) ;;
	stop)
		# What has no address was never started.
		is_address || exit "$OCF_SUCCESS"
		find_place
		ocf_stop
		exit
		;;
	*)
		ocf_usage
		exit "$OCF_ERR_UNIMPLEMENTED"
		;;
	esac
	has_address || exit
	find_place
	case $1 in
	monitor) ocf_monitor ;;
	validate-all) ocf_validate ;;
	start)
		has_program || exit
		has_config || exit
		if ocf_look; then exit "$OCF_SUCCESS"; fi
		ocf_start || exit
		# What has come since.
		why=
		find_place
		if ocf_look; then exit "$OCF_SUCCESS"; fi
		seen=$why
		# Served, and by another name.
		ocf_validate || exit
		why=$seen
		exit_reason "takeover has ended well, and $address is not served: $why"
		exit "$OCF_ERR_GENERIC"
		;;
	esac
	exit
}

# ---- the meta-data

# Parameters that all of an address have.
meta_parameters() {
	cat <<-END
		<parameters>

		<parameter name="address" unique="1" required="1">
		<longdesc lang="en">
		The floating IP, as the configuration of nlm-failover has it, without its prefix length: 10.10.1.1 or fd00::1.
		What belongs to it (interface, file systems, exports, where its record lies) stands in the configuration, which is the
		same on every node.
		</longdesc>
		<shortdesc lang="en">Floating IP</shortdesc>
		<content type="string"/>
		</parameter>

	END
	meta_installation
	printf '</parameters>\n\n'
}

# Parameters of those that run the command, whatever for.
meta_installation() {
	cat <<-END
		<parameter name="config">
		<longdesc lang="en">
		The configuration file, nlm-failover.toml(5), the same on every node, by its whole path.
		</longdesc>
		<shortdesc lang="en">Configuration file</shortdesc>
		<content type="string" default="$default_config"/>
		</parameter>

		<parameter name="program">
		<longdesc lang="en">
		The nlm-failover that is run, by its whole path: that of the installation which this agent belongs to, unless another is named.
		</longdesc>
		<shortdesc lang="en">The command</shortdesc>
		<content type="string" default="$(own_program)"/>
		</parameter>

	END
}

# meta_actions START STOP: how long these take at the longest, in seconds.
meta_actions() {
	cat <<-END
		<actions>
		<action name="start" timeout="${1}s"/>
		<action name="stop" timeout="${2}s"/>
		<action name="monitor" timeout="20s" interval="10s" depth="0"/>
		<action name="monitor" timeout="60s" interval="60s" depth="10"/>
		<action name="validate-all" timeout="30s"/>
		<action name="meta-data" timeout="5s"/>
		</actions>
	END
}

meta_head() {
	cat <<-'END'
		<?xml version="1.0"?>
		<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
	END
}
