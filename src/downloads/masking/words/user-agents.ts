/** What browsers call themselves. Made by `npm run make-word-lists` from @faker-js/faker (MIT): a change of it is a change of MASKING_VERSION. */
export const USER_AGENTS: readonly string[] = `
Mozilla/5.0 (Linux; Android 10; SM-G998B) AppleWebKit/591.44 (KHTML, like Gecko) Chrome/115.9.6.3 Mobile Safari/599.54
Mozilla/5.0 (Linux; Android 12; SM-G998N) AppleWebKit/592.57 (KHTML, like Gecko) Chrome/111.5.16.11 Mobile Safari/568.34
Mozilla/5.0 (Linux; Android 13; SM-G998N) AppleWebKit/536.61 (KHTML, like Gecko) Chrome/80.5.18.7 Mobile Safari/599.62
Mozilla/5.0 (Linux; Android 13; SM-G998N) AppleWebKit/603.66 (KHTML, like Gecko) Chrome/102.1.19.9 Mobile Safari/576.40
Mozilla/5.0 (Linux; Android 5; SM-G998N) AppleWebKit/595.38 (KHTML, like Gecko) Chrome/112.5.11.20 Mobile Safari/592.3
Mozilla/5.0 (Linux; Android 5; SM-G998U) AppleWebKit/570.72 (KHTML, like Gecko) Chrome/71.2.17.8 Mobile Safari/579.23
Mozilla/5.0 (Linux; Android 6; SM-G998U) AppleWebKit/592.14 (KHTML, like Gecko) Chrome/75.8.6.20 Mobile Safari/554.53
Mozilla/5.0 (Linux; Android 7; SM-G998N) AppleWebKit/539.57 (KHTML, like Gecko) Chrome/66.5.14.2 Mobile Safari/564.69
Mozilla/5.0 (Linux; Android 7; SM-G998U) AppleWebKit/566.10 (KHTML, like Gecko) Chrome/103.8.14.16 Mobile Safari/559.84
Mozilla/5.0 (Linux; Android 7; SM-G998U) AppleWebKit/578.41 (KHTML, like Gecko) Chrome/117.1.14.5 Mobile Safari/576.34
Mozilla/5.0 (Linux; Android 8; SM-G998N) AppleWebKit/588.46 (KHTML, like Gecko) Chrome/64.3.10.14 Mobile Safari/589.13
Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:125.0) Gecko/20100101 Firefox/119.0
Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Firefox/96.0
Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:98.0) Gecko/20100101 Firefox/106.0
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/539.53.66 (KHTML, like Gecko) Version/16.1 Safari/572.94.58
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/543.2.75 (KHTML, like Gecko) Version/16.1 Safari/563.74.45
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/560.22.59 (KHTML, like Gecko) Version/16.1 Safari/557.91.90
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/560.79.87 (KHTML, like Gecko) Version/16.1 Safari/599.66.27
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/568.13.1 (KHTML, like Gecko) Version/16.1 Safari/589.31.98
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/569.47.80 (KHTML, like Gecko) Version/16.1 Safari/564.90.3
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/571.93.3 (KHTML, like Gecko) Version/16.1 Safari/586.89.2
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/579.82.15 (KHTML, like Gecko) Version/16.1 Safari/537.7.48
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/583.20.87 (KHTML, like Gecko) Version/16.1 Safari/537.67.41
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/586.0.30 (KHTML, like Gecko) Version/16.1 Safari/546.9.18
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/593.62.14 (KHTML, like Gecko) Version/16.1 Safari/541.1.6
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/599.29.28 (KHTML, like Gecko) Version/16.1 Safari/545.1.67
Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_15_7) AppleWebKit/545.19.80 (KHTML, like Gecko) Chrome/129.3.14.18 Safari/598.8.3
Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_15_7) AppleWebKit/545.5.12 (KHTML, like Gecko) Chrome/58.1.4.14 Safari/575.1.7
Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_15_7) AppleWebKit/548.57.99 (KHTML, like Gecko) Chrome/117.5.20.18 Safari/577.3.9
Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_15_7) AppleWebKit/548.78.61 (KHTML, like Gecko) Chrome/59.4.14.19 Safari/536.97.37
Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_15_7) AppleWebKit/558.85.55 (KHTML, like Gecko) Chrome/108.4.13.6 Safari/536.57.31
Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_15_7) AppleWebKit/569.15.62 (KHTML, like Gecko) Chrome/96.6.3.15 Safari/551.51.78
Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_15_7) AppleWebKit/584.31.68 (KHTML, like Gecko) Chrome/119.0.15.20 Safari/588.28.78
Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_15_7) AppleWebKit/591.28.49 (KHTML, like Gecko) Chrome/101.0.12.9 Safari/592.31.89
Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_15_7) AppleWebKit/594.12.27 (KHTML, like Gecko) Chrome/100.9.11.0 Safari/592.23.80
Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_15_7) AppleWebKit/596.94.82 (KHTML, like Gecko) Chrome/120.0.13.14 Safari/578.79.3
Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_15_7) AppleWebKit/600.42.24 (KHTML, like Gecko) Chrome/83.9.19.17 Safari/600.22.8
Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/558.67 (KHTML, like Gecko) Chrome/89.3.8.8 Safari/558.62 Edg/119.9.14.4
Mozilla/5.0 (Windows NT 5.2; Win64; x64) AppleWebKit/566.58 (KHTML, like Gecko) Chrome/131.2.5.5 Safari/588.45 Edg/111.5.4.16
Mozilla/5.0 (Windows NT 6.0; Win64; x64) AppleWebKit/595.19 (KHTML, like Gecko) Chrome/112.2.16.8 Safari/592.35 Edg/114.7.6.15
Mozilla/5.0 (Windows NT 6.1; Win64; x64) AppleWebKit/558.98 (KHTML, like Gecko) Chrome/99.3.11.15 Safari/582.26 Edg/111.3.13.4
Mozilla/5.0 (Windows NT 6.2; Win64; x64) AppleWebKit/567.91 (KHTML, like Gecko) Chrome/104.0.10.18 Safari/594.64 Edg/124.5.5.11
Mozilla/5.0 (X11; Linux x86_64; rv:102.0) Gecko/20100101 Firefox/130.0
Mozilla/5.0 (X11; Linux x86_64; rv:118.0) Gecko/20100101 Firefox/90.0
Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/98.0
Mozilla/5.0 (X11; Linux x86_64; rv:78.0) Gecko/20100101 Firefox/90.0
Mozilla/5.0 (X11; Linux x86_64; rv:82.0) Gecko/20100101 Firefox/111.0
Mozilla/5.0 (X11; Linux x86_64; rv:88.0) Gecko/20100101 Firefox/87.0
Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 10.0; Trident/5.0)
Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)
Mozilla/5.0 (compatible; MSIE 6.0; Windows NT 6.0; Trident/7.0)
Mozilla/5.0 (compatible; MSIE 6.0; Windows NT 6.2; Trident/6.0)
Mozilla/5.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/6.0)
Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.3; Trident/5.0)
Mozilla/5.0 (iPhone; CPU iPhone OS 11_0 like Mac OS X) AppleWebKit/592.39.16 (KHTML, like Gecko) Version/18_1 Mobile/15E148 Safari/588.72
Mozilla/5.0 (iPhone; CPU iPhone OS 12_0 like Mac OS X) AppleWebKit/587.77.90 (KHTML, like Gecko) Version/18_0 Mobile/15E148 Safari/552.61
Mozilla/5.0 (iPhone; CPU iPhone OS 13_4 like Mac OS X) AppleWebKit/548.12.13 (KHTML, like Gecko) Version/14_0 Mobile/15E148 Safari/602.82
Mozilla/5.0 (iPhone; CPU iPhone OS 15_1 like Mac OS X) AppleWebKit/553.74.19 (KHTML, like Gecko) Version/15_4 Mobile/15E148 Safari/595.23
Mozilla/5.0 (iPhone; CPU iPhone OS 15_4 like Mac OS X) AppleWebKit/574.52.13 (KHTML, like Gecko) Version/13_0 Mobile/15E148 Safari/547.74
Mozilla/5.0 (iPhone; CPU iPhone OS 15_4 like Mac OS X) AppleWebKit/576.62.28 (KHTML, like Gecko) Version/15_3 Mobile/15E148 Safari/596.75
Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) AppleWebKit/588.75.92 (KHTML, like Gecko) Version/16_0 Mobile/15E148 Safari/537.2
Mozilla/5.0 (iPhone; CPU iPhone OS 16_4 like Mac OS X) AppleWebKit/580.66.47 (KHTML, like Gecko) Version/10_1 Mobile/15E148 Safari/570.73
Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/546.15.18 (KHTML, like Gecko) Version/15_4 Mobile/15E148 Safari/605.71
Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/600.64.39 (KHTML, like Gecko) Version/14_3 Mobile/15E148 Safari/574.92
`
  .trim()
  .split(/[|\n]/);
