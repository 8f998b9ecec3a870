/** What a validator answers instead of a value: why it refused, and what would be right. */
export class Wrong {
  readonly because: string;

  constructor(because: string) {
    this.because = because;
  }
}
