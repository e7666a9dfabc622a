//! Times of the fake: seconds since the beginning of 2026, written in RFC 3339.

/// Days from 1970-01-01 to 2026-01-01.
const EPOCH: u64 = 20_454;

/// Formats a time of the fake as the API does.
pub fn rfc3339(seconds: u64) -> String {
    let (year, month, day) = date(EPOCH + seconds / 86_400);
    let rest = seconds % 86_400;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.000000+00:00", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Converts days since 1970 to a date of the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_dates_of_the_calendar() {
        assert_eq!(rfc3339(0), "2026-01-01T00:00:00.000000+00:00");
        assert_eq!(rfc3339(31 * 86_400 + 3_661), "2026-02-01T01:01:01.000000+00:00");
        assert_eq!(rfc3339((365 * 2 + 59) * 86_400), "2028-02-29T00:00:00.000000+00:00");
    }
}
