/**
 * @file
 * What the program says on stderr.  stdout is for results.
 */
#ifndef BAL_BASE_LOG_H
#define BAL_BASE_LOG_H

typedef enum bal_log_level {
    BAL_LOG_ERROR = 0, ///< -q: only the line of a failure
    BAL_LOG_WARN,
    BAL_LOG_INFO,  ///< the default
    BAL_LOG_DEBUG, ///< -v
} bal_log_level;

/** Sets the level and who speaks: only rank 0 prints.  Local. */
void bal_log_init(bal_log_level level, int rank);

/** One line "balans: ..." on stderr of rank 0, if the level is high enough.
 *  Local.  Warnings are preceded by the word "warning". */
__attribute__((format(printf, 2, 3))) void bal_log(bal_log_level level,
                                                   const char *fmt, ...);

/** Warning number i of this process, from 0, printed or not, as it was worded;
 *  NULL behind the last of them or of the first BAL_WARNINGS_KEPT.  Local.
 *  Borrowed. */
const char *bal_log_warning(int i);
enum { BAL_WARNINGS_KEPT = 32 };

#define bal_warn(...) bal_log(BAL_LOG_WARN, __VA_ARGS__)
#define bal_info(...) bal_log(BAL_LOG_INFO, __VA_ARGS__)
#define bal_debug(...) bal_log(BAL_LOG_DEBUG, __VA_ARGS__)

/** Progress of a long phase, which the line names before the text; behind it
 *  stand the time left, where that is known, and the time since the start.  On
 *  a terminal one line is redrawn in place, at most four times a second;
 *  elsewhere there is a plain line after 5 s, and one each time that the time
 *  so far has grown by a half, at most 60 s apart.  Local; rank 0 prints, at
 *  level info. */
__attribute__((format(printf, 1, 2))) void bal_progress(const char *fmt, ...);

/** Says how much of the phase is done, 0 to 1, for the time left.  Local. */
void bal_progress_share(double share);

/** Ends a line drawn by bal_progress(), so that other output can follow.
 *  Local. */
void bal_progress_end(void);

#endif
