/** The programs that can tell Pacemaker: pcs, crmsh, and its own, cibadmin. */
export const formats = ['pcs', 'crm', 'xml'] as const;
export type Format = (typeof formats)[number];
