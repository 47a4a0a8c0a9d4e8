//! The description of this interface, as it is served and as the tests hold every answer against it.

/// `OpenAPI` 3.1.
pub(crate) const DESCRIPTION: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::routes;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let description: serde_json::Value = serde_json::from_str(super::DESCRIPTION).unwrap();
        let paths = description["paths"].as_object().unwrap();
        let described: BTreeSet<_> = paths
            .iter()
            .flat_map(|(path, item)| {
                let methods = item
                    .as_object()
                    .unwrap()
                    .keys()
                    .filter(|key| *key != "parameters");
                methods.map(move |method| (method.to_uppercase(), path.clone()))
            })
            .collect();
        let mut served = BTreeSet::new();
        for route in routes::table() {
            served.insert((route.method.to_string(), route.path.to_owned()));
        }
        assert_eq!(described, served);
    }

    #[test]
    fn every_route_is_in_the_document_for_people() {
        let document = include_str!("../../../docs/http-api.md");
        for route in routes::table() {
            let row = format!("`{} {}", route.method, route.path);
            assert!(document.contains(&row), "docs/http-api.md lacks {row}`");
        }
    }
}
