/** Rows of one table, or of one partition, that stand in a row in the content. */
export interface MemberRun {
  member: string;
  /** The first one's ordinal among the rows of the member, and among those of the whole table. */
  from: number;
  first: number;
  rows: number;
}

/** Tells the rows of a partitioned table from those of its partitions. */
export class MemberRuns {
  readonly runs: MemberRun[] = [];
  #last: MemberRun | undefined;
  #rows = 0;

  /** The next row of the table belongs to this member. */
  add(member: string, ordinal: number): void {
    this.addRows(member, ordinal, 1);
  }

  /** @param from ordinal of the first one among the rows of the member */
  addRows(member: string, from: number, rows: number): void {
    if (this.#last?.member !== member) {
      this.#last = { member, from, first: this.#rows, rows: 0 };
      this.runs.push(this.#last);
    }
    this.#last.rows += rows;
    this.#rows += rows;
  }
}
