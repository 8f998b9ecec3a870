/**
 * Whether a text can be the id of a resource, as crm_resource(8) takes it: an NCName of XML (the type ID of resources-*.rng), of ASCII letters;
 * behind "#" Pacemaker writes whole ids of clone instances, and behind ":" their number.
 */
export function isResourceId(text: string): boolean {
  return /^[A-Za-z_][\w.-]{0,254}$/u.test(text);
}
