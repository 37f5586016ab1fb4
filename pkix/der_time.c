/* see pkix/der.h: dates and the calendar
 *
 * Our own calendar, since libc's depends on the environment's time zone and ends in 2038 where time_t is short. RFC
 * 5280 section 4.1.2.5 leaves one form of each type: to the second, in Z. Fractions and offsets are BER's; a reader
 * that passes over "+1400" is half a day wrong about when a certificate ends. */
#include "pkix/der.h"

/* Nothing was certified before 1970, and a date from then is a trap for unsigned clocks; "99991231235959Z" is RFC
 * 5280's "has no end". */
enum { UTC_TIME_SIZE = 13, GENERALIZED_TIME_SIZE = 15, YEAR_MIN = 1970, YEAR_MAX = 9999, SECONDS_PER_DAY = 86400 };

/* 2000 is one and 2100 is none. A day more or less in one year would move every later date. */
static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_of_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 0000-01-01 to the first of January of `year`. The Gregorian rule, for years before it as well; only
 * differences are used. */
static int64_t days_before_year(int64_t year)
{
    return year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

/* The days of each month are looked at, 29 February among them: timegm() would take the 31st of June for the first of
 * July. There is no second 60, for which seconds since 1970 have no room. */
bool der_date_to_seconds(const struct der_date *date, int64_t *seconds)
{
    int64_t days;

    if (date->year < YEAR_MIN || date->year > YEAR_MAX || date->month < 1 || date->month > 12 || date->day < 1 ||
        date->day > days_of_month(date->year, date->month) || date->hour > 23 || date->minute > 59 || date->second > 59)
        return false;
    days = days_before_year(date->year) - days_before_year(YEAR_MIN) + (date->day - 1);
    for (unsigned month = 1; month < date->month; month++)
        days += days_of_month(date->year, month);
    *seconds = days * SECONDS_PER_DAY + date->hour * 3600 + date->minute * 60 + date->second;
    return true;
}

/* The other way round, for people; before 1970 and after 9999 it is the first and the last day. */
void der_date_of_seconds(int64_t seconds, struct der_date *date)
{
    int64_t days, second;
    unsigned year = YEAR_MIN;

    if (seconds < 0)
        seconds = 0;
    days = seconds / SECONDS_PER_DAY;
    second = seconds % SECONDS_PER_DAY;
    while (year < YEAR_MAX && days >= (is_leap(year) ? 366 : 365))
        days -= is_leap(year++) ? 366 : 365;
    *date = (struct der_date){.year = year, .month = 1};
    while (date->month < 12 && days >= days_of_month(year, date->month))
        days -= days_of_month(year, date->month++);
    date->day = (unsigned)days + 1;
    date->hour = (unsigned)(second / 3600);
    date->minute = (unsigned)(second / 60 % 60);
    date->second = (unsigned)(second % 60);
}

/* Two decimal digits, or a value no field allows. Digits alone: a blank or a sign, which scanf() and strtol() take, is
 * no date. */
static unsigned two_digits(const uint8_t *at)
{
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return UINT16_MAX;
    return (at[0] - '0') * 10u + (at[1] - '0');
}

/* MMDDHHMMSSZ: seconds are mandatory, and so is Z (RFC 5280 section 4.1.2.5). */
static enum pkix_error read_after_year(unsigned year, const uint8_t *at, int64_t *seconds)
{
    struct der_date date = {.year = year,
                            .month = two_digits(at),
                            .day = two_digits(at + 2),
                            .hour = two_digits(at + 4),
                            .minute = two_digits(at + 6),
                            .second = two_digits(at + 8)};

    return at[10] == 'Z' && der_date_to_seconds(&date, seconds) ? PKIX_OK : PKIX_BAD_TIME;
}

/* X.690 section 11.8: to the second and in Z, which are thirteen characters. BER's other forms (no seconds, an offset)
 * have 11, 15 or 17. */
static enum pkix_error read_utc(struct span text, int64_t *seconds)
{
    unsigned year;

    if (text.size != UTC_TIME_SIZE)
        return PKIX_BAD_TIME;
    year = two_digits(text.data);
    /* RFC 5280 section 4.1.2.5.1: from 50 on it is 19YY. So 50 to 69 are years before 1970, and refused. */
    return read_after_year(year >= 50 ? 1900 + year : 2000 + year, text.data + 2, seconds);
}

/* Also of years before 2050, for which section 4.1.2.5 asks for UTCTime: authorities write it, and it can be read in
 * one way only. */
static enum pkix_error read_generalized(struct span text, int64_t *seconds)
{
    unsigned high, low;

    if (text.size != GENERALIZED_TIME_SIZE)
        return PKIX_BAD_TIME;
    high = two_digits(text.data);
    low = two_digits(text.data + 2);
    if (high > 99 || low > 99)
        return PKIX_BAD_TIME;
    return read_after_year(high * 100 + low, text.data + 4, seconds);
}

/* Time ::= CHOICE { utcTime UTCTime, generalTime GeneralizedTime }. By its tag, and with no value for what is neither:
 * a date that cannot be read and is taken for "none" is a certificate that never ends. */
enum pkix_error der_read_time(struct der *d, int64_t *seconds)
{
    struct span text;
    bool utc = der_next_is(d, ASN1_UTC_TIME);

    if (der_read(d, utc ? ASN1_UTC_TIME : ASN1_GENERALIZED_TIME, &text) != PKIX_OK)
        return PKIX_BAD_TIME;
    return utc ? read_utc(text, seconds) : read_generalized(text, seconds);
}

/* OCSP has this type only (RFC 6960 section 4.2.2.1). */
enum pkix_error der_read_generalized_time(struct der *d, int64_t *seconds)
{
    struct span text;

    if (der_read(d, ASN1_GENERALIZED_TIME, &text) != PKIX_OK)
        return PKIX_BAD_TIME;
    return read_generalized(text, seconds);
}
