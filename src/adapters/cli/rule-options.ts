import type { Command } from 'commander';
import type { RetentionRules } from '../../core/policy.ts';
import { gathered, wholeNumber } from './option-values.ts';

/** Options that say which backups to keep. */
export interface RuleOptions extends Omit<RetentionRules, 'keepTags'> {
  keepTag?: string[];
}

const AMOUNT = wholeNumber(1);

export function addRuleOptions(command: Command): Command {
  return command
    .option('--keep-last <number>', 'keep the newest so many of each resource', AMOUNT)
    .option('--keep-hourly <number>', 'keep the newest of each of so many hours', AMOUNT)
    .option('--keep-daily <number>', '… days', AMOUNT)
    .option('--keep-weekly <number>', '… weeks', AMOUNT)
    .option('--keep-monthly <number>', '… months', AMOUNT)
    .option('--keep-yearly <number>', '… years', AMOUNT)
    .option('--keep-within-days <days>', 'keep everything younger', AMOUNT)
    .option('--keep-tag <name[=value]>', 'keep what has this tag; may be repeated', gathered);
}

/** @returns the rules that were given; none where none were */
export function rulesFrom(options: RuleOptions): RetentionRules {
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly, keepWithinDays, keepTag } = options;
  const rules = {
    keepLast,
    keepHourly,
    keepDaily,
    keepWeekly,
    keepMonthly,
    keepYearly,
    keepWithinDays,
    keepTags: keepTag,
  };
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
}

/** `7 daily, 4 weekly, all of 30 days`. */
export function ruleWords(rules: RetentionRules): string {
  const counts = [
    ['last', rules.keepLast],
    ['hourly', rules.keepHourly],
    ['daily', rules.keepDaily],
    ['weekly', rules.keepWeekly],
    ['monthly', rules.keepMonthly],
    ['yearly', rules.keepYearly],
  ] as const;
  return [
    ...counts.filter(([, number]) => number !== undefined).map(([name, number]) => `${number} ${name}`),
    ...(rules.keepWithinDays === undefined ? [] : [`all of ${rules.keepWithinDays} days`]),
    ...(rules.keepTags ?? []).map((tag) => `tag ${tag}`),
  ].join(', ');
}
