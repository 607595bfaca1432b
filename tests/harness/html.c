/* html.c: a checker of the HTML that reports write: stricter than a browser, smaller than a parser. */
#include "tests/harness/html.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 64, NAME = 32, MAX_ATTRIBUTES = 16 };

typedef struct reader {
    const char *at, *start;
    char *fault;
    char open[MAX_DEPTH][NAME];
    int depth;
} reader;

static bool fail_at(reader *r, const char *what)
{
    snprintf(r->fault, AT_HTML_FAULT, "%s at byte %td: \"%.60s\"", what, r->at - r->start, r->at);
    return false;
}

static bool is_void(const char *name)
{
    static const char *const names[] = {"meta", "link", "img", "br", "hr"};
    for (int i = 0; i < AT_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static bool take_name(reader *r, char name[NAME])
{
    int n = 0;
    while ((isalnum((unsigned char)*r->at) || *r->at == '-') && n < NAME - 1) name[n++] = *r->at++;
    name[n] = '\0';
    return n > 0;
}

static bool take_entity(reader *r)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&nbsp;"};
    for (int i = 0; i < AT_COUNT(entities); i++)
        if (strncmp(r->at, entities[i], strlen(entities[i])) == 0) {
            r->at += strlen(entities[i]);
            return true;
        }
    return fail_at(r, "bare &");
}

/* A page must be complete in itself. */
static bool check_link(reader *r, const char *tag, const char *key, const char *value)
{
    if (strcmp(key, "src") != 0 && strcmp(key, "href") != 0) return true;
    if (strncmp(value, "data:", 5) == 0) return true;
    const bool relative =
        strcmp(tag, "a") == 0 && !strstr(value, "//") && value[0] != '/' && !strchr(value, ':');
    return relative || fail_at(r, "something to fetch before");
}

static bool take_attribute(reader *r, const char *tag, char key[NAME])
{
    char value[NAME] = "";
    if (!take_name(r, key)) return fail_at(r, "no attribute");
    if (*r->at != '=') return strcmp(key, "open") == 0 || fail_at(r, "attribute without value");
    if (*++r->at != '"') return fail_at(r, "attribute without quotes");
    const char *first = ++r->at;
    while (*r->at && *r->at != '"') {
        if (*r->at == '<') return fail_at(r, "< in an attribute");
        if (*r->at == '&' ? !take_entity(r) : !r->at++) return false;
    }
    if (*r->at != '"') return fail_at(r, "attribute without end");
    snprintf(value, sizeof value, "%.*s", (int)(r->at - first), first);
    r->at++;
    return check_link(r, tag, key, value);
}

static bool take_attributes(reader *r, const char *tag)
{
    char keys[MAX_ATTRIBUTES][NAME];
    int n = 0;
    bool has_alt = false;
    while (*r->at == ' ') {
        r->at++;
        if (n == MAX_ATTRIBUTES) return fail_at(r, "too many attributes");
        if (!take_attribute(r, tag, keys[n])) return false;
        for (int i = 0; i < n; i++)
            if (strcmp(keys[i], keys[n]) == 0) return fail_at(r, "attribute given twice before");
        has_alt = has_alt || strcmp(keys[n], "alt") == 0;
        n++;
    }
    return strcmp(tag, "img") != 0 || has_alt || fail_at(r, "picture without alt before");
}

/* What stands in <style> is no HTML, but must not load anything either. */
static bool skip_style(reader *r)
{
    const char *end = strstr(r->at, "</style>");
    if (!end) return fail_at(r, "style without end");
    for (; r->at < end; r->at++)
        if (strncmp(r->at, "url(", 4) == 0 || strncmp(r->at, "@import", 7) == 0)
            return fail_at(r, "something to fetch");
    return true;
}

static bool take_open_tag(reader *r)
{
    char tag[NAME];
    if (!take_name(r, tag)) return fail_at(r, "bare <");
    if (strcmp(tag, "script") == 0) return fail_at(r, "a script before");
    if (!take_attributes(r, tag)) return false;
    const bool closed = r->at[0] == '/' && r->at[1] == '>';
    if (!closed && *r->at != '>') return fail_at(r, "tag without end");
    r->at += closed ? 2 : 1;
    if (closed || is_void(tag)) return true;
    if (r->depth == MAX_DEPTH) return fail_at(r, "too deep");
    snprintf(r->open[r->depth++], NAME, "%s", tag);
    return strcmp(tag, "style") != 0 || skip_style(r);
}

static bool take_close_tag(reader *r)
{
    char tag[NAME];
    r->at++;
    if (!take_name(r, tag) || *r->at != '>') return fail_at(r, "bad end tag");
    if (r->depth == 0 || strcmp(r->open[r->depth - 1], tag) != 0)
        return fail_at(r, "end tag that closes nothing");
    r->depth--;
    r->at++;
    return true;
}

static bool take_all(reader *r)
{
    if (strncmp(r->at, "<!doctype html>", 15) == 0) r->at += 15;
    while (*r->at) {
        bool ok = true;
        if (*r->at == '&')
            ok = take_entity(r);
        else if (*r->at != '<')
            r->at++;
        else if (*++r->at == '/')
            ok = take_close_tag(r);
        else
            ok = take_open_tag(r);
        if (!ok) return false;
    }
    return r->depth == 0 || fail_at(r, "element that is never closed");
}

const char *at_html_fault(char out[AT_HTML_FAULT], const char *html)
{
    reader r = {.at = html, .start = html, .fault = out};
    if (strstr(html, "http://") || strstr(html, "https://")) {
        snprintf(out, AT_HTML_FAULT, "an address: \"%.60s\"", strstr(html, "http"));
        return out;
    }
    return take_all(&r) ? NULL : out;
}

void at_expect_html(const char *html)
{
    char fault[AT_HTML_FAULT];
    if (at_html_fault(fault, html)) fail_msg("%s", fault);
}
