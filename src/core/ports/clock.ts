/** The time of day, as a port so that tests of retention and schedules need not wait for it. */
export interface Clock {
  now(): Date;
}
