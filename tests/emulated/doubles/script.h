/* The script of a double: named settings out of the environment or out of a text file.
 *
 * A setting NAME is looked up as the environment variable RKNN_DOUBLE_NAME, then as a line `NAME=value`
 * in the file that RKNN_DOUBLE_SCRIPT names with `.SIZE` appended (SIZE: bytes of the model that was
 * loaded, so that several models can run side by side), then in that file itself.
 *
 * A setting for something that happens repeatedly is a list `a,b,c`: the n-th time takes the n-th item,
 * and the last item holds for ever after.
 */
#ifndef RKNN_DOUBLE_SCRIPT_H
#define RKNN_DOUBLE_SCRIPT_H

#include <stdint.h>

/* Names the model whose script file goes first; 0: none. */
void script_use_model(uint32_t model_bytes);

/* The value of a setting, or NULL. Valid until the next call with the same name. */
const char *script_text(const char *name);

/* The number of a setting (decimal, 0x hexadecimal or negative), or `otherwise`. */
int64_t script_number(const char *name, int64_t otherwise);

/* Item `nth` (from 0) of a list of numbers, as said above. */
int64_t script_number_at(const char *name, unsigned nth, int64_t otherwise);

/* Does what item `nth` of the list NAME says: hang, abort, segv, exit; nothing for `-` or no setting. */
void script_fault(const char *name, unsigned nth);

/* Sleeps; 0 returns at once. */
void script_sleep_us(int64_t duration_us);

/* Prints in the format of librknnrt: `E RKNN: [12:34:56.789] text`. Level E goes to stderr, I and W
 * to stdout, as the vendor's 1.5.2 does. */
void script_log(char level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the lines of the setting NAME, `|` between lines, each starting with its level and a blank:
 * `W first line|E second line`. */
void script_log_setting(const char *name);

/* Appends one line to the file that RKNN_DOUBLE_LOG names, with the caller's process id; else nothing. */
void script_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
