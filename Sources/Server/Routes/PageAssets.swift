extension Assets {
    /// The chat page, which is part of the binary.
    static let page = Assets([
        Asset(path: "/", contentType: "text/html; charset=utf-8", bytes: PackageResources.index_html),
        Asset(path: "/page.css", contentType: "text/css; charset=utf-8", bytes: PackageResources.page_css),
        Asset(path: "/page.js", contentType: "text/javascript; charset=utf-8", bytes: PackageResources.page_js),
        Asset(path: "/client.js", contentType: "text/javascript; charset=utf-8", bytes: PackageResources.client_js),
        Asset(path: "/blocks.js", contentType: "text/javascript; charset=utf-8", bytes: PackageResources.blocks_js),
        Asset(path: "/textview.js", contentType: "text/javascript; charset=utf-8", bytes: PackageResources.textview_js),
        Asset(path: "/markdown.js", contentType: "text/javascript; charset=utf-8", bytes: PackageResources.markdown_js),
        Asset(path: "/favicon.svg", contentType: "image/svg+xml", bytes: PackageResources.favicon_svg),
    ])
}
