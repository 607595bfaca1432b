/* yaml_scalar.c: what a plain YAML scalar means by the core schema of YAML 1.2 (section 10.3.2). libyaml
 * leaves this to its caller; the 1.1 rules that other readers follow take 1e-4 for text and `no` for false.
 * Layer: formats. */
#include "formats/tree_internal.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0) return true;
    return false;
}

static const char digits10[] = "0123456789", digits16[] = "0123456789abcdefABCDEF", digits8[] = "01234567";

static const char *after_sign(const char *p)
{
    return p + (*p == '+' || *p == '-');
}

/* All of p is one or more characters of the set. */
static bool is_all(const char *p, const char *set)
{
    return *p && p[strspn(p, set)] == '\0';
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_decimal(const char *p)
{
    p = after_sign(p);
    const size_t whole = strspn(p, digits10);
    p += whole;
    size_t fraction = 0;
    if (*p == '.') {
        fraction = strspn(++p, digits10);
        p += fraction;
    }
    if (whole + fraction == 0) return false;
    if (*p != 'e' && *p != 'E') return *p == '\0';
    return is_all(after_sign(p + 1), digits10);
}

/* ".inf" with its sign, ".nan"; 0 when it is neither. */
static double special_number(const char *text)
{
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    if (is_one_of(text, nans)) return (double)NAN;
    if (is_one_of(after_sign(text), infinities)) return *text == '-' ? -(double)INFINITY : (double)INFINITY;
    return 0.0;
}

static at__yaml_meaning whole(at_tree *t, const char *digits, int base)
{
    errno = 0;
    t->kind = AT_WHOLE;
    t->whole = strtoll(digits, NULL, base);
    t->number = (double)t->whole;
    return errno == ERANGE ? AT__YAML_TOO_LARGE : AT__YAML_FINE;
}

static at__yaml_meaning decimal(at_tree *t)
{
    t->kind = AT_NUMBER;
    return at_number_parse(&t->number, t->text) && isfinite(t->number) ? AT__YAML_FINE : AT__YAML_TOO_LARGE;
}

at__yaml_meaning at__yaml_resolve(at_tree *t)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    const char *text = t->text;
    t->kind = AT_STRING;
    if (is_one_of(text, nulls)) {
        t->kind = AT_NULL;
    } else if (is_one_of(text, trues) || is_one_of(text, falses)) {
        t->kind = AT_FLAG;
        t->flag = is_one_of(text, trues);
    } else if (is_all(after_sign(text), digits10)) {
        return whole(t, text, 10);
    } else if (strncmp(text, "0o", 2) == 0 && is_all(text + 2, digits8)) {
        return whole(t, text + 2, 8);
    } else if (strncmp(text, "0x", 2) == 0 && is_all(text + 2, digits16)) {
        return whole(t, text + 2, 16);
    } else if (is_decimal(text)) {
        return decimal(t);
    } else if (special_number(text) != 0.0) { /* NaN is not 0 either */
        t->kind = AT_NUMBER;
        t->number = special_number(text);
    }
    return AT__YAML_FINE;
}
