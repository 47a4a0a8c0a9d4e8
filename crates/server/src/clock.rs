//! Calendar arithmetic: how moments are written on the wire and in archives. UTC throughout, any 64-bit second.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// A moment of the proleptic Gregorian calendar in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    /// May be negative, and far beyond four digits.
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: u8,
    /// 1 to 31.
    pub(crate) day: u8,
    /// 0 to 23.
    pub(crate) hour: u8,
    /// 0 to 59.
    pub(crate) minute: u8,
    /// 0 to 59.
    pub(crate) second: u8,
    /// Days since Sunday.
    weekday: u8,
}

impl Civil {
    /// From seconds since the epoch, by Howard Hinnant's `civil_from_days`
    /// (<https://howardhinnant.github.io/date_algorithms.html>).
    pub(crate) fn from_unix_seconds(seconds: i64) -> Self {
        let (days, in_day) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Months counted from March, so that the leap day comes last.
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: small(month),
            day: small(day_of_year - (153 * from_march + 2) / 5 + 1),
            hour: small(in_day / 3600),
            minute: small(in_day / 60 % 60),
            second: small(in_day % 60),
            weekday: small((days + 4).rem_euclid(7)),
        }
    }

    /// `YYYY-MM-DD HH:MM:SS`.
    pub(crate) fn sql(self) -> String {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7); `None` outside the years 0 to 9999.
    pub(crate) fn http(self) -> Option<String> {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let Self {
            year,
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        let weekday = DAYS[usize::from(self.weekday)];
        let month = MONTHS[usize::from(self.month - 1)];
        (0..=9999).contains(&year).then(|| {
            format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
        })
    }
}

/// `YYYY-MM-DD HH:MM:SS` of milliseconds since the epoch, rounded down.
pub(crate) fn sql_from_unix_ms(ms: i64) -> String {
    Civil::from_unix_seconds(ms.div_euclid(1000)).sql()
}

/// Seconds since the epoch now; 0 on a clock set before it.
pub(crate) fn now_unix_seconds() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Milliseconds since the epoch now; 0 on a clock set before it.
pub(crate) fn now_unix_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Every value that comes here is a remainder below 256.
fn small(value: i64) -> u8 {
    u8::try_from(value).expect("a remainder of calendar arithmetic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        let http = |seconds| Civil::from_unix_seconds(seconds).http();
        assert_eq!(sql_from_unix_ms(0), "1970-01-01 00:00:00");
        assert_eq!(sql_from_unix_ms(-1), "1969-12-31 23:59:59");
        assert_eq!(sql_from_unix_ms(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(sql_from_unix_ms(1_709_208_000_123), "2024-02-29 12:00:00");
        assert_eq!(
            http(784_111_777).as_deref(),
            Some("Sun, 06 Nov 1994 08:49:37 GMT")
        );
        assert_eq!(
            http(-62_167_219_200).as_deref(),
            Some("Sat, 01 Jan 0000 00:00:00 GMT")
        );
        assert_eq!(
            http(253_402_300_799).as_deref(),
            Some("Fri, 31 Dec 9999 23:59:59 GMT")
        );
        assert_eq!(http(253_402_300_800), None);
    }

    #[test]
    fn no_second_is_out_of_range() {
        for seconds in [i64::MIN, i64::MIN / 1000, i64::MAX] {
            assert!(Civil::from_unix_seconds(seconds).sql().len() > 19);
        }
        assert!(sql_from_unix_ms(i64::MIN).starts_with('-'));
    }
}
