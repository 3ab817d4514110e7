/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See message.h.
 */
#include "infer/tflm/message.h"

#include <stdbool.h>
#include <stdint.h>

#include "infer/infer.h"

#define DIGITS 20 /* of 2^64 - 1 */

/* Where text goes: put() takes one character at a time. */
typedef struct sink {
    void (*put)(struct sink *sink, char c);
    char *bytes;
    size_t room; /* for characters and the NUL */
    size_t length;
} sink_t;

static char message[TFLM_MESSAGE_BYTES];
static size_t message_length;
static bool line_ended;

void tflm_message_clear(void)
{
    message_length = 0;
    message[0] = '\0';
    line_ended = false;
}

const char *infer_message(void)
{
    return message;
}

static void message_put(char c)
{
    if (message_length + 1 < sizeof message) {
        message[message_length++] = c;
        message[message_length] = '\0';
    }
}

static void put_message(sink_t *sink, char c)
{
    (void)sink;
    if (c == '\n' || c == '\r') {
        line_ended = message_length != 0;
        return;
    }
    if (line_ended) {
        message_put(';');
        message_put(' ');
        line_ended = false;
    }
    message_put(c >= ' ' && c <= '~' ? c : '?');
}

static void put_buffer(sink_t *sink, char c)
{
    if (sink->length + 1 < sink->room) {
        sink->bytes[sink->length] = c;
    }
    sink->length++;
}

static void put_string(sink_t *sink, const char *text)
{
    for (const char *c = text != NULL ? text : "?"; *c != '\0'; c++) {
        sink->put(sink, *c);
    }
}

static void put_number(sink_t *sink, unsigned long number, unsigned base)
{
    char digits[DIGITS];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    while (count != 0) {
        sink->put(sink, digits[--count]);
    }
}

static void put_signed(sink_t *sink, long number)
{
    if (number < 0) {
        sink->put(sink, '-');
    }
    put_number(sink, number < 0 ? 0ul - (unsigned long)number : (unsigned long)number, 10);
}

/* A conversion: its letter, and how many bytes its number has. */
typedef struct {
    char letter;
    size_t bytes;
} conversion_t;

/* Goes behind flags, width, precision and length. */
static conversion_t read_conversion(const char **format)
{
    conversion_t found = {.bytes = sizeof(int)};
    const char *c = *format;
    while (*c == '-' || *c == '#' || *c == '+' || *c == '.' || (*c >= '0' && *c <= '9')) {
        c++;
    }
    for (; *c == 'l' || *c == 'z' || *c == 'h'; c++) {
        size_t bytes = c[0] == 'l' && c[1] == 'l' ? sizeof(long long) : sizeof(long);
        found.bytes = *c == 'h' || found.bytes > bytes ? found.bytes : bytes;
    }
    found.letter = *c;
    *format = *c != '\0' ? c + 1 : c;
    return found;
}

static unsigned long unsigned_argument(size_t bytes, va_list *args)
{
    return bytes == sizeof(int) ? va_arg(*args, unsigned)
                                : (unsigned long)va_arg(*args, unsigned long long);
}

static long signed_argument(size_t bytes, va_list *args)
{
    return bytes == sizeof(int) ? va_arg(*args, int) : (long)va_arg(*args, long long);
}

/* False where it is not known how to go on: what the next argument is. */
static bool put_argument(sink_t *sink, conversion_t conversion, va_list *args)
{
    switch (conversion.letter) {
    case 'd':
    case 'i':
        put_signed(sink, signed_argument(conversion.bytes, args));
        return true;
    case 'u':
        put_number(sink, unsigned_argument(conversion.bytes, args), 10);
        return true;
    case 'x':
        put_number(sink, unsigned_argument(conversion.bytes, args), 16);
        return true;
    case 'p':
        put_number(sink, (unsigned long)(uintptr_t)va_arg(*args, void *), 16);
        return true;
    case 'c':
        sink->put(sink, (char)va_arg(*args, int));
        return true;
    case 's':
        put_string(sink, va_arg(*args, const char *));
        return true;
    case 'f':
    case 'g':
    case 'e':
        (void)va_arg(*args, double);
        sink->put(sink, '?');
        return true;
    default:
        sink->put(sink, '?');
        return false;
    }
}

static void print(sink_t *sink, const char *format, va_list args)
{
    va_list rest;
    va_copy(rest, args);
    for (bool known = true; known && *format != '\0';) {
        char c = *format++;
        if (c != '%') {
            sink->put(sink, c);
        } else if (*format == '%') {
            sink->put(sink, *format++);
        } else {
            known = put_argument(sink, read_conversion(&format), &rest);
        }
    }
    va_end(rest);
}

void DebugLog(const char *format, va_list args)
{
    sink_t sink = {.put = put_message};
    print(&sink, format, args);
}

int DebugVsnprintf(char *buffer, size_t bytes, const char *format, va_list args)
{
    sink_t sink = {.put = put_buffer, .bytes = buffer, .room = bytes};
    print(&sink, format, args);
    if (bytes != 0) {
        buffer[sink.length < bytes ? sink.length : bytes - 1] = '\0';
    }
    return (int)sink.length;
}
