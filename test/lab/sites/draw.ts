import { defaultSite, isServed, type SiteLimits, type SiteTraits, traitNames, traits } from './traits.js';

/** So many sites are tried for each scenario. */
const tries = 300;

/** Numbers from 0 to below 1, the same each time (a linear congruential generator, Numerical Recipes). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Each two values that meet in a site. */
export function pairsOf(site: SiteTraits): string[] {
  return traitNames.flatMap((one, index) =>
    traitNames.slice(index + 1).map((other) => `${one} ${site[one]}, ${other} ${site[other]}`),
  );
}

/**
 * A site for each scenario, so that together they have all values of all traits, and most pairs of them: each gets, of many that
 * it can do with, the one in which most pairs meet that have not met before. The same for the same scenarios.
 * @param scenarios by title, in this order; the first gets the default site
 */
export function drawSites(scenarios: Readonly<Record<string, SiteLimits>>): ReadonlyMap<string, SiteTraits> {
  const random = numbers(1);
  const met = new Set<string>();
  const sites = new Map<string, SiteTraits>();
  for (const [title, limits] of Object.entries(scenarios)) {
    let best = sites.size === 0 ? defaultSite : undefined;
    let most = -1;
    for (let attempt = 0; sites.size > 0 && attempt < tries; attempt += 1) {
      const site = anySite(limits, random);
      const fresh = isServed(site) ? pairsOf(site).filter((pair) => !met.has(pair)).length : -1;
      if (fresh > most) [best, most] = [site, fresh];
    }
    if (best === undefined) throw new Error(`no site for "${title}"`);
    for (const pair of pairsOf(best)) met.add(pair);
    sites.set(title, best);
  }
  return sites;
}

function anySite(limits: SiteLimits, random: () => number): SiteTraits {
  const entries = traitNames.map((name) => {
    const values: readonly string[] = limits[name] ?? traits[name];
    return [name, values[Math.floor(random() * values.length)]];
  });
  return Object.fromEntries(entries);
}
