#pragma once
#include <sqlite3.h>

/// `SQLITE_TRANSIENT` is a cast, which Swift does not import. A null pointer would bind NULL, but Swift gives one for the
/// empty array, so it means empty here.
static inline int hb_bind_text(sqlite3_stmt *statement, int index, const char *bytes, int count) {
    return sqlite3_bind_text(statement, index, bytes ? bytes : "", count, SQLITE_TRANSIENT);
}
static inline int hb_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, int count) {
    return sqlite3_bind_blob(statement, index, bytes ? bytes : "", count, SQLITE_TRANSIENT);
}

/// Ends SQLite's count of the memory that it uses, for which each allocation takes a lock that all threads share. Only
/// before the first database is opened; later it changes nothing.
static inline void hb_do_not_count_memory(void) { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

/// The system's error behind the last I/O error of the log or of the database file; 0 if there is none.
static inline int hb_last_errno(sqlite3 *database) {
    sqlite3_file *log = 0;
    int code = 0;
    sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log && log->pMethods) log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &code);
    if (code == 0) sqlite3_file_control(database, "main", SQLITE_FCNTL_LAST_ERRNO, &code);
    return code;
}
