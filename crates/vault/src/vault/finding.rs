//! Finding assets: lists, searches, where they stand, which of them are meant, and where a content lies.

use std::sync::Arc;

use super::Vault;
use crate::error::ReadError;
use crate::ids::{AssetId, CollectionId};
use crate::model::{
    KnownBy, KnownFile, ListPage, ListQuery, Places, Question, Ranks, SearchPage, SearchQuery,
    Selected, Selection,
};
use crate::query::FactSource;
use crate::read::Reading;
use crate::store::{listing, search, selection, whereabouts};

impl Vault {
    /// A page of a collection's own assets.
    pub fn list(&self, collection: CollectionId, query: &ListQuery) -> Result<ListPage, ReadError> {
        let Reading { whole, catalog, .. } = &*self.inner.reading;
        listing::page(&*self.connection()?, collection, query, whole, catalog)
    }

    /// A page of the assets whose names contain a text, in a place and all below it or in the whole vault. The first
    /// search of a vault reads all of its names.
    pub fn search(&self, query: &SearchQuery) -> Result<SearchPage, ReadError> {
        search::search(&*self.connection()?, query, &self.inner.reading.catalog)
    }

    /// Where assets stand among what is asked for, and where the first name that begins with `prefix` does.
    pub fn ranks(
        &self,
        question: &Question,
        assets: &[AssetId],
        prefix: Option<&str>,
    ) -> Result<Ranks, ReadError> {
        let shared = &self.inner.reading.catalog;
        selection::ranks(&*self.connection()?, question, (assets, prefix), shared)
    }

    /// The assets that a rule means, at this moment. Takes 8 bytes for each.
    pub fn select(&self, selection: &Selection) -> Result<Selected, ReadError> {
        let shared = &self.inner.reading.catalog;
        selection::select(&*self.connection()?, selection, shared)
    }

    /// Reads all names now, so that the first search, or page far into a long list, need not. Does nothing where that was
    /// done.
    pub fn prepare_search(&self) -> Result<(), ReadError> {
        search::prepare(&*self.connection()?, &self.inner.reading.catalog)
    }

    /// Names who knows what contents say, so that queries can ask for it. Only the first to be named counts.
    pub fn set_fact_source(&self, source: Arc<dyn FactSource>) {
        self.inner.reading.catalog.set_facts(source);
    }

    /// All assets with the same content, itself first and among them; `limit` of them at most.
    pub fn places(&self, id: AssetId, limit: usize) -> Result<Places, ReadError> {
        let shared = &self.inner.reading.catalog;
        whereabouts::places(&*self.connection()?, id, limit, shared)
    }

    /// For each file the newest version of its name in its place, if that is the file already. One look for each.
    pub fn known(
        &self,
        collection: CollectionId,
        files: &[KnownFile],
    ) -> Result<Vec<Option<(AssetId, KnownBy)>>, ReadError> {
        whereabouts::known(&*self.connection()?, collection, files)
    }
}
