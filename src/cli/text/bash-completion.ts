/**
 * What stands at a place of the command line: one of these words, a list of them with commas between, an address of the configuration,
 * a file, a directory, a command of the system, or what nobody knows beforehand.
 */
export type Word =
  | { readonly words: readonly string[] }
  | { readonly list: readonly string[] }
  | 'address'
  | 'file'
  | 'directory'
  | 'command'
  | 'nothing';

export interface CompletedOption {
  /** With their dashes. */
  readonly names: readonly string[];
  /** Absent: it takes none. */
  readonly value?: Word;
}

export interface CompletedCommand {
  /** Empty: the program, before any command. */
  readonly name: string;
  readonly options: readonly CompletedOption[];
  readonly places: readonly Word[];
  /** Whether the last of them may come again. */
  readonly isRepeated: boolean;
}

/**
 * A script for bash 4 or later, which needs nothing else, not even the package bash-completion. It starts no program: the addresses are
 * read from the configuration by bash itself, and are nothing but hexadecimal digits, dots and colons, whatever stands in the file.
 */
export function bashCompletion(
  program: string,
  version: string,
  commands: readonly CompletedCommand[],
): string {
  const prefix = `_${program.replaceAll('-', '_')}`;
  return `# Completion for bash, of ${program} ${version}; made by "${program} completion bash".

# What may stand after an option ("COMMAND OPTION") or at a place ("COMMAND NUMBER"); 1: an option that takes no value.
${prefix}_after() {
  case "$1 $2" in
${cases([...optionRows(commands), ...commands.flatMap(placeRows)])}
    *) return 1 ;;
  esac
}

${prefix}_options() {
  case $1 in
${commands.map(({ name, options }) => `    '${name}') words='${options.flatMap(({ names }) => names).join(' ')}' ;;`).join('\n')}
  esac
}

# Of the configuration that the command line names, or the environment, or the one in its usual place; those that are not typed yet.
${prefix}_addresses() {
  local line table='' file=$1
  [[ -f $file && -r $file ]] || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line =~ ^[[:space:]]*\\[+[[:space:]]*([^][:space:]]*) ]]; then
      table=\${BASH_REMATCH[1]}
    elif [[ $table == floating_ip && $line =~ ^[[:space:]]*\\"?address\\"?[[:space:]]*=[[:space:]]*[\\"\\']([0-9A-Fa-f.:]+) ]]; then
      one=\${BASH_REMATCH[1]}
      [[ " \${typed[*]} " == *" $one "* ]] || words+=" $one"
    fi
  done <"$file"
}

${prefix}() {
  local line=\${COMP_LINE:0:COMP_POINT} current word command='' pending='' config=\${NLM_FAILOVER_CONFIG:-/etc/nlm-failover.toml}
  local kind='' words='' lead='' before='' one
  local -i place=1 ours=0
  local -a typed
  local IFS=$' \\t\\n'
  COMPREPLY=()
  read -ra typed <<<"$line"
  [[ $line == *[[:space:]] ]] && typed+=('')
  while ((ours < \${#typed[@]})) && [[ \${typed[ours]##*/} != '${program}' ]]; do ours+=1; done
  typed=("\${typed[@]:ours+1}")
  ((\${#typed[@]})) || return 0
  current=\${typed[-1]}
  unset 'typed[-1]'

  for word in "\${typed[@]}"; do
    if [[ $pending == config ]]; then
      config=$word pending=''
    elif [[ $pending == value ]]; then
      pending=''
    elif [[ $pending == rest ]]; then
      place+=1
    elif [[ $word == -- ]]; then
      pending=rest
    elif [[ $word == --config=* ]]; then
      config=\${word#*=}
    elif [[ $word == --*=* ]]; then
      :
    elif [[ $word == -?* ]]; then
      if ${prefix}_after "$command" "$word"; then
        pending=value
        [[ $word == -c || $word == --config ]] && pending=config
      fi
    elif [[ -z $command ]]; then
      command=$word
    else
      place+=1
    fi
  done

  kind='' words=''
  if [[ $pending == config || $pending == value ]]; then
    ${prefix}_after "$command" "$word"
  elif [[ $pending != rest && $current == --*=* ]]; then
    lead=\${current%%=*}=
    ${prefix}_after "$command" "\${lead%=}" || return 0
  elif [[ $pending != rest && $current == -* ]]; then
    ${prefix}_options "$command"
    kind=words
  else
    ${prefix}_after "$command" "$place" || return 0
  fi

  case $kind in
    file | directory)
      # Readline itself knows best how files are written; a directory is a file that has others below it.
      if [[ $kind == directory ]]; then
        mapfile -t COMPREPLY < <(compgen -d -P "$lead" -- "\${current#"$lead"}")
      else
        mapfile -t COMPREPLY < <(compgen -f -P "$lead" -- "\${current#"$lead"}")
      fi
      compopt -o filenames 2>/dev/null
      ;;
    command) mapfile -t COMPREPLY < <(compgen -c -- "$current") ;;
    list)
      # Those that are not there yet, after what is there already.
      before=\${current#"$lead"}
      before=\${before%"\${before##*,}"}
      for one in $words; do
        [[ ,\${before^^} == *,"$one",* || $lead$before$one != "$lead$before\${current##*[,=]}"* ]] || COMPREPLY+=("$lead$before$one")
      done
      compopt -o nospace 2>/dev/null
      ;;
    address | words)
      [[ $kind == address ]] && ${prefix}_addresses "$config"
      mapfile -t COMPREPLY < <(compgen -P "$lead" -W "$words" -- "\${current#"$lead"}")
      ;;
  esac

  # Readline replaces only what stands after the last of these; an IPv6 address has colons.
  for one in : =; do
    if [[ $COMP_WORDBREAKS == *"$one"* && $current == *"$one"* ]]; then
      word=\${current%"\${current##*"$one"}"}
      COMPREPLY=("\${COMPREPLY[@]#"$word"}")
    fi
  done
  return 0
}

complete -F ${prefix} ${program}
`;
}

/** A pattern of "COMMAND OPTION" or "COMMAND NUMBER", and what it means. */
type Row = readonly [pattern: string, action: string];

/** What every command takes stands there once, for any. */
function optionRows(commands: readonly CompletedCommand[]): Row[] {
  const takers = commands.filter(({ options }) => options.length > 0);
  const rows = takers.flatMap(({ name: command, options }) =>
    options.flatMap(({ names, value }) =>
      value === undefined ? [] : names.map((name) => ({ command, name, action: kindOf(value) })),
    ),
  );
  const common = (row: { readonly name: string; readonly action: string }): boolean =>
    rows.filter(({ name, action }) => name === row.name && action === row.action).length === takers.length;
  const patterns = rows.map((row): Row => [
    common(row) ? `*' ${row.name}'` : `'${row.command} ${row.name}'`,
    row.action,
  ]);
  return patterns.filter(([pattern], at) => patterns.findIndex((other) => other[0] === pattern) === at);
}

/** What comes after a command of the system are its arguments: files, if anything. */
function placeRows({ name, places, isRepeated }: CompletedCommand): Row[] {
  const rows = places.map((place, at): Row => [`'${name} ${at + 1}'`, kindOf(place)]);
  const last = places.at(-1);
  if (last === undefined || !isRepeated) return rows;
  return [...rows, [`'${name} '[0-9]*`, kindOf(last === 'command' ? 'file' : last)]];
}

/** In their order; one line for all that mean the same and stand together. */
function cases(rows: readonly Row[]): string {
  const lines: { readonly patterns: string[]; readonly action: string }[] = [];
  for (const [pattern, action] of rows) {
    const last = lines.at(-1);
    if (last?.action === action) last.patterns.push(pattern);
    else lines.push({ patterns: [pattern], action });
  }
  return lines.map(({ patterns, action }) => `    ${patterns.join(' | ')}) ${action} ;;`).join('\n');
}

/** Words of the definitions have no quotes in them; else the test that runs the script would see it. */
function kindOf(word: Word): string {
  if (typeof word === 'string') return `kind=${word}`;
  return 'words' in word
    ? `kind=words words='${word.words.join(' ')}'`
    : `kind=list words='${word.list.join(' ')}'`;
}
