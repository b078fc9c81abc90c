/**
 * Which backups of a resource to keep. A backup is kept while any rule wants it; `keepDaily: 7` keeps the newest backup of
 * each of the last seven days that have one. All counts are whole numbers of at least 1; a policy names at least one rule.
 */
export interface RetentionRules {
  keepLast?: number;
  keepHourly?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepMonthly?: number;
  keepYearly?: number;
  /** Days: everything younger is kept. */
  keepWithinDays?: number;
  /** Backups that carry one of these tags (`name=value` or `name`) are kept. */
  keepTags?: readonly string[];
}

export interface Policy {
  id: string;
  name: string;
  rules: RetentionRules;
  /** IANA zone in which days, weeks and months begin; default `UTC`. */
  timeZone: string;
  createdAt: string;
  updatedAt: string;
}
