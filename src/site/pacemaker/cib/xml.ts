import { parseXml, XmlComment, XmlElement, XmlText } from '@rgrove/parse-xml';
import { exitCodes, FailoverError, messageOf } from '../../../errors.js';

// The CIB as a tree that can be changed in one place and written again: what is not touched comes out as it was.

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Node[];
}

interface Comment {
  readonly comment: string;
}

export type Node = Element | Comment;

export function element(
  name: string,
  attributes: Readonly<Record<string, string>>,
  children: readonly Node[] = [],
): Element {
  return { name, attributes, children };
}

/** Throws FailoverError COMMAND_FAILED for what is no XML; `from`: who printed it. */
export function parse(text: string, from: string): Element {
  try {
    const { root } = parseXml(text, { preserveComments: true });
    if (root !== null) return toElement(root);
  } catch (error) {
    throw noXml(from, messageOf(error), error);
  }
  throw noXml(from, 'it is empty');
}

function toElement({ name, attributes, children }: XmlElement): Element {
  return {
    name,
    attributes: { ...attributes },
    children: children.flatMap((child): Node[] => {
      if (child instanceof XmlElement) return [toElement(child)];
      if (child instanceof XmlComment) return [{ comment: child.content }];
      // Between elements there are blanks alone: the schemas of Pacemaker have no text.
      if (child instanceof XmlText && child.text.trim() === '') return [];
      throw new Error(`<${name}> holds what is no element`);
    }),
  };
}

/** Indented by two blanks, as libxml2 does. */
export function xmlText(node: Node, indent = ''): string {
  if (!isElement(node)) return `${indent}<!--${node.comment}-->\n`;
  const attributes = Object.entries(node.attributes).map(([name, value]) => ` ${name}="${escaped(value)}"`);
  const start = `${indent}<${node.name}${attributes.join('')}`;
  if (node.children.length === 0) return `${start}/>\n`;
  const children = node.children.map((child) => xmlText(child, `${indent}  `));
  return `${start}>\n${children.join('')}${indent}</${node.name}>\n`;
}

function escaped(value: string): string {
  return value.replaceAll(/[&<>"\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}

export function isElement(node: Node): node is Element {
  return 'name' in node;
}

export function idOf({ attributes }: Element): string {
  return attributes['id'] ?? '';
}

/** The elements right below one, of this name or of any. */
export function childrenOf(parent: Element, name?: string): readonly Element[] {
  return parent.children.filter(isElement).filter((child) => name === undefined || child.name === name);
}

/** Itself, and every element below it. */
export function all(top: Element): readonly Element[] {
  return [top, ...childrenOf(top).flatMap(all)];
}

export function withId(top: Element, id: string): Element | undefined {
  return all(top).find(({ attributes }) => attributes['id'] === id);
}

/** From the outermost element to one that is in the tree, both included; empty: it is not. */
export function pathTo(top: Element, one: Element): readonly Element[] {
  if (top === one) return [top];
  for (const child of childrenOf(top)) {
    const path = pathTo(child, one);
    if (path.length > 0) return [top, ...path];
  }
  return [];
}

/** The same tree with `change` for each element that it is given, from the outside in; what is undefined is left out. */
export function changed(top: Element, change: (node: Element) => Element | undefined): Element {
  return {
    ...top,
    children: top.children.flatMap((child): Node[] => {
      if (!isElement(child)) return [child];
      const one = change(child);
      if (one === undefined) return [];
      return [one === child ? changed(one, change) : one];
    }),
  };
}

function noXml(from: string, why: string, cause?: unknown): FailoverError {
  return new FailoverError(`${from} printed what is no XML: ${why}`, {
    code: 'COMMAND_FAILED',
    exitCode: exitCodes.stepFailed,
    operation: from,
    cause,
  });
}
