/// The columns of every query, so that one function reads them all.
pub(super) struct RawRow<'r> {
    pub(super) id: i64,
    pub(super) blog_id: i64,
    /// Bytes: a value that is no text must not stop the rows after it.
    pub(super) domain: &'r [u8],
    /// Bytes, too: the date of a row.
    pub(super) extra: &'r [u8],
    pub(super) path: &'r [u8],
    /// Further columns, where a query has them.
    pub(super) more: [&'r [u8]; 3],
}
