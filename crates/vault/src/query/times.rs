//! Dates as people write them in a query, as spans of UTC: a year, a month, a day, an hour, a minute.

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The seconds since the epoch that a date stands for: from the first, up to and without the second. `2024` is the whole
/// year. `None` if it is no date of the years 1 to 9999.
pub(super) fn span(text: &str) -> Option<(i64, i64)> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let year = number(parts.next()?, 4, 1..=9999)?;
    let month = parts.next().map(|text| number(text, 2, 1..=12));
    let day = parts.next();
    let Some(month) = month else {
        return time
            .is_none()
            .then(|| (days(year, 1, 1) * DAY, days(year + 1, 1, 1) * DAY));
    };
    let month = month?;
    let after = if month == 12 {
        days(year + 1, 1, 1)
    } else {
        days(year, month + 1, 1)
    };
    let first = days(year, month, 1);
    let Some(day) = day else {
        return time.is_none().then_some((first * DAY, after * DAY));
    };
    let day = number(day, 2, 1..=after - first)?;
    let start = (first + day - 1) * DAY;
    let Some(time) = time else {
        return Some((start, start + DAY));
    };
    let mut parts = time.trim_end_matches(['Z', 'z']).splitn(3, ':');
    let hour = number(parts.next()?, 2, 0..=23)?;
    let start = start + hour * 3600;
    let Some(minute) = parts.next() else {
        return Some((start, start + 3600));
    };
    let start = start + number(minute, 2, 0..=59)? * 60;
    match parts.next() {
        None => Some((start, start + 60)),
        Some(second) => {
            let start = start + number(second, 2, 0..=59)?;
            Some((start, start + 1))
        }
    }
}

fn number(text: &str, digits: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number)?;
    range.contains(&number).then_some(number)
}

/// Days since the epoch of a date of the proleptic Gregorian calendar, by Howard Hinnant's `days_from_civil`
/// (<https://howardhinnant.github.io/date_algorithms.html>). Years here are positive.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_spans_of_utc() {
        let day = |n: i64| n * DAY;
        assert_eq!(span("1970"), Some((0, day(365))));
        assert_eq!(span("1970-01"), Some((0, day(31))));
        assert_eq!(span("2024-02"), Some((day(19_754), day(19_783))));
        assert_eq!(span("2024-12"), Some((day(20_058), day(20_089))));
        assert_eq!(span("2024-02-29"), Some((day(19_782), day(19_783))));
        assert_eq!(span("1969-12-31"), Some((-DAY, 0)));
        assert_eq!(span("1970-01-01T01"), Some((3600, 7200)));
        assert_eq!(span("1970-01-01T00:59"), Some((59 * 60, 3600)));
        assert_eq!(span("1970-01-01T00:00:07Z"), Some((7, 8)));
        assert_eq!(span("0001").map(|(start, _)| start), Some(-62_135_596_800));
        assert_eq!(span("9999").map(|(_, end)| end), Some(253_402_300_800));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "24",
            "20245",
            "0000",
            "2024-",
            "2024-1",
            "2024-13",
            "2024-00",
            "2023-02-29",
            "2024-02-30",
            "2024-01-1",
            "2024-01-01-01",
            "2024T10",
            "2024-01T10",
            "-2024",
            "+024",
            "2024-01-01T24",
            "2024-01-01T10:60",
            "2024-01-01T10:00:60",
            "２０２４",
            "2024-01-01T",
        ] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
