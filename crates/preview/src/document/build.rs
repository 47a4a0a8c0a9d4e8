//! From the parser's events to nodes. Nothing here calls itself: how deep a document is nested decides nothing but where
//! its nodes go.

use pulldown_cmark::{Alignment, CodeBlockKind, Event, Tag, TagEnd};

use serde_json::Value;

use super::Node;

/// Characters of an address; longer ones lead nowhere.
const HREF_BYTES_MAX: usize = 2048;
/// Characters of a language's name.
const LANGUAGE_BYTES_MAX: usize = 32;

/// What came of a document.
pub(super) struct Built {
    pub(super) nodes: Vec<Node>,
    /// Whether nothing was left out.
    pub(super) is_whole: bool,
    /// Whether something lies deeper than it is shown.
    pub(super) is_flattened: bool,
}

/// An element that is not closed yet.
struct Open {
    tag: &'static str,
    attributes: Vec<(&'static str, Value)>,
    children: Vec<Node>,
}

struct Builder {
    open: Vec<Open>,
    /// For each event that began something, whether an element was opened for it.
    begun: Vec<bool>,
    depth_max: usize,
    nodes_left: usize,
    is_flattened: bool,
    /// How the columns of the table in hand are aligned, and the column in hand.
    columns: Vec<Alignment>,
    column: usize,
    is_head: bool,
    /// Images in each other, and what is shown if the innermost says nothing.
    image: Option<(String, usize)>,
}

/// Builds nodes, at most `depth_max` deep and `nodes_max` in all.
pub(super) fn nodes<'a>(
    events: impl Iterator<Item = Event<'a>>,
    depth_max: usize,
    nodes_max: usize,
) -> Built {
    let root = Open {
        tag: "",
        attributes: Vec::new(),
        children: Vec::new(),
    };
    let mut builder = Builder {
        open: vec![root],
        begun: Vec::new(),
        depth_max,
        nodes_left: nodes_max,
        is_flattened: false,
        columns: Vec::new(),
        column: 0,
        is_head: false,
        image: None,
    };
    let mut is_whole = true;
    for event in events {
        if builder.nodes_left == 0 {
            is_whole = false;
            break;
        }
        builder.take(event);
    }
    while builder.open.len() > 1 {
        builder.close();
    }
    Built {
        nodes: builder
            .open
            .pop()
            .map(|root| root.children)
            .unwrap_or_default(),
        is_whole,
        is_flattened: builder.is_flattened,
    }
}

impl Builder {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(end) => self.end(end),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(text) => self.leaf("code", Vec::new(), Some(&text)),
            Event::SoftBreak => self.text("\n"),
            Event::HardBreak => self.leaf("br", Vec::new(), None),
            Event::Rule => self.leaf("hr", Vec::new(), None),
            Event::TaskListMarker(is_checked) => {
                let attributes = vec![("checked", is_checked.into())];
                self.leaf("input", attributes, None);
            }
            // These are not switched on; were they, their text would do.
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.text(&text);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.begin("p", Vec::new()),
            Tag::Heading { level, .. } => {
                let tags = ["h1", "h2", "h3", "h4", "h5", "h6"];
                self.begin(tags[(level as usize).clamp(1, 6) - 1], Vec::new());
            }
            Tag::BlockQuote(_) => self.begin("blockquote", Vec::new()),
            Tag::CodeBlock(kind) => {
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => language(info),
                    CodeBlockKind::Indented => None,
                };
                self.begin_code(language);
            }
            Tag::MetadataBlock(_) => self.begin_code(Some("language-yaml".into())),
            Tag::List(None) => self.begin("ul", Vec::new()),
            Tag::List(Some(start)) => self.begin("ol", vec![("start", start.into())]),
            Tag::Item => self.begin("li", Vec::new()),
            Tag::Table(columns) => {
                self.columns = columns;
                self.begin("table", Vec::new());
            }
            Tag::TableHead => {
                self.is_head = true;
                self.column = 0;
                self.begin("thead", Vec::new());
                self.begin("tr", Vec::new());
            }
            Tag::TableRow => {
                self.column = 0;
                self.begin("tr", Vec::new());
            }
            Tag::TableCell => self.begin_cell(),
            Tag::Emphasis => self.begin("em", Vec::new()),
            Tag::Strong => self.begin("strong", Vec::new()),
            Tag::Strikethrough => self.begin("del", Vec::new()),
            Tag::Link { dest_url, .. } => {
                let href = href(&dest_url).map(|href| ("href", href.into()));
                self.begin("a", href.into_iter().collect());
            }
            Tag::Image { dest_url, .. } => {
                let name = dest_url.rsplit('/').next().unwrap_or_default();
                let name: String = name.chars().take(200).collect();
                self.image = Some((name, self.nodes_left));
                self.begun.push(false);
            }
            Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript => self.begun.push(false),
        }
    }

    fn end(&mut self, end: TagEnd) {
        match end {
            TagEnd::TableHead => {
                self.is_head = false;
                self.finish();
                self.finish();
                return self.begin("tbody", Vec::new());
            }
            TagEnd::Table => self.finish(),
            TagEnd::TableCell => self.column += 1,
            TagEnd::Image => {
                // Its alternative text has been taken as text by now; if there is none, its name is better than nothing.
                if let Some((name, nodes_left)) = self.image.take()
                    && nodes_left == self.nodes_left
                {
                    self.text(&name);
                }
            }
            TagEnd::CodeBlock | TagEnd::MetadataBlock(_) => {
                // `code` inside `pre`.
                self.finish();
            }
            _ => {}
        }
        self.finish();
    }

    /// Ends what was begun last, which has an element unless it lies too deep.
    fn finish(&mut self) {
        if self.begun.pop() == Some(true) {
            self.close();
        }
    }

    /// Opens an element, or, deeper than that, lets what is in it go to the one around it.
    fn begin(&mut self, tag: &'static str, attributes: Vec<(&'static str, Value)>) {
        let fits = self.open.len() <= self.depth_max;
        self.begun.push(fits);
        self.is_flattened |= !fits;
        if fits {
            self.nodes_left = self.nodes_left.saturating_sub(1);
            self.open.push(Open {
                tag,
                attributes,
                children: Vec::new(),
            });
        }
    }

    fn begin_code(&mut self, language: Option<String>) {
        self.begin("pre", Vec::new());
        self.begin(
            "code",
            language
                .map(|class| ("class", class.into()))
                .into_iter()
                .collect(),
        );
    }

    fn begin_cell(&mut self) {
        let align = match self.columns.get(self.column) {
            Some(Alignment::Left) => Some("left"),
            Some(Alignment::Center) => Some("center"),
            Some(Alignment::Right) => Some("right"),
            Some(Alignment::None) | None => None,
        };
        let attributes = align.map(|align| ("align", align.into()));
        let tag = if self.is_head { "th" } else { "td" };
        self.begin(tag, attributes.into_iter().collect());
    }

    fn close(&mut self) {
        if let Some(Open {
            tag,
            attributes,
            children,
        }) = self.open.pop()
        {
            self.push(Node::Element {
                tag,
                attributes,
                children,
            });
        }
    }

    fn leaf(
        &mut self,
        tag: &'static str,
        attributes: Vec<(&'static str, Value)>,
        text: Option<&str>,
    ) {
        self.nodes_left = self.nodes_left.saturating_sub(1);
        let text = text.map(|text| Node::Text(text.to_owned()));
        self.push(Node::Element {
            tag,
            attributes,
            children: text.into_iter().collect(),
        });
    }

    /// Adds text; what follows other text becomes one with it.
    fn text(&mut self, text: &str) {
        let open = self.open.last_mut().expect("the root is never closed");
        if let Some(Node::Text(before)) = open.children.last_mut() {
            before.push_str(text);
            // An image's alternative text may have been added to what stood before it.
            if let Some((_, nodes_left)) = &mut self.image {
                *nodes_left = usize::MAX;
            }
        } else if !text.is_empty() {
            self.nodes_left = self.nodes_left.saturating_sub(1);
            open.children.push(Node::Text(text.to_owned()));
        }
    }

    fn push(&mut self, node: Node) {
        let open = self.open.last_mut().expect("the root is never closed");
        open.children.push(node);
    }
}

/// An address that may be followed: out to the web, to a mail program, or within the document.
pub(super) fn href(address: &str) -> Option<String> {
    let lower = address.to_ascii_lowercase();
    let is_known = ["http://", "https://", "mailto:", "#"]
        .iter()
        .any(|start| lower.starts_with(start));
    let is_plain = !address.chars().any(|c| c.is_control() || c.is_whitespace());
    (is_known && is_plain && address.len() <= HREF_BYTES_MAX).then(|| address.to_owned())
}

/// `language-x`, of the first word after a fence.
fn language(info: &str) -> Option<String> {
    let word: String = info
        .split([' ', ',', '\t', '{'])
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "+#_.-".contains(*c))
        .take(LANGUAGE_BYTES_MAX)
        .collect();
    (!word.is_empty()).then(|| format!("language-{}", word.to_ascii_lowercase()))
}
