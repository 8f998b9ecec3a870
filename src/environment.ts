/** The environment variables that are looked at, in the words of --help and of the manual. */
export const environmentTexts = {
  NLM_FAILOVER_CONFIG: 'the configuration file, where --config is not given',
  NLM_FAILOVER_RUN: 'a directory instead of /run/nlm-failover, for command and callout (tests)',
  NLM_FAILOVER_REHEARSAL:
    'a directory, made by the demo, that stands for the machine: nothing outside it is touched',
  PATH: "where the system's commands are; /usr/sbin and /sbin are always looked in",
} as const;

/** An environment with these variables alone: to ask for another one does not compile. */
export type Environment = { readonly [Name in keyof typeof environmentTexts]?: string | undefined };
