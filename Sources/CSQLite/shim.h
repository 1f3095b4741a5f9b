#pragma once
#include <sqlite3.h>
#include <stdint.h>
#include <string.h>

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

/// Keeps the log's file when the last connection closes: the file under that name stays the same one.
static inline void hb_keep_log(sqlite3 *database) {
    int keeps = 1;
    sqlite3_file_control(database, "main", SQLITE_FCNTL_PERSIST_WAL, &keeps);
}

/// The sizes of the database's file and its log as a connection has them open, whatever stands under their names, and
/// what the log's index says of them.
struct hb_file_facts {
    int64_t database_bytes, log_bytes;
    /// Bytes of a page, frames that the log must hold, and pages of the database with them (0: not known).
    uint32_t page_bytes, frames, pages;
};

/// Returns 0 where they cannot be told: before the first read, or in the midst of another program's write.
///
/// The index's memory is the connection's own, so no lock is taken or lost, as one would be that opened the file anew.
/// Source: the WAL-mode file format (sqlite.org/walformat.html), section 2.1: the header stands there twice.
static inline int hb_file_facts(sqlite3 *database, struct hb_file_facts *facts) {
    enum { index_block = 32768, header = 48, version = 3007000 };
    sqlite3_file *file = 0, *log = 0;
    void volatile *index = 0;
    sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (!file || !file->pMethods || file->pMethods->iVersion < 2 || !log || !log->pMethods) return 0;
    if (file->pMethods->xShmMap(file, 0, index_block, 0, &index) != SQLITE_OK || !index) return 0;
    uint8_t first[header], second[header];
    memcpy(first, (const void *)index, header);
    memcpy(second, (const uint8_t *)index + header, header);
    uint32_t number;
    memcpy(&number, first, 4);
    if (memcmp(first, second, header) != 0 || number != version || !first[12]) return 0;
    uint16_t page;
    memcpy(&page, first + 14, 2);
    memcpy(&facts->frames, first + 16, 4);
    memcpy(&facts->pages, first + 20, 4);
    // 65,536 does not fit into two bytes, so 1 stands for it.
    facts->page_bytes = page == 1 ? 65536 : page;
    sqlite3_int64 size = 0;
    if (file->pMethods->xFileSize(file, &size) != SQLITE_OK) return 0;
    facts->database_bytes = size;
    if (log->pMethods->xFileSize(log, &size) != SQLITE_OK) return 0;
    facts->log_bytes = size;
    return 1;
}
