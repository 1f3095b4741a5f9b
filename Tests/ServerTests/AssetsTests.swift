import Testing
import Wire

@testable import Server

@Suite struct AssetsTests {
    private let router = Router(
        assets: Assets([
            Asset(path: "/", contentType: "text/html; charset=utf-8", bytes: Array("<p>page".utf8)),
            Asset(path: "/page.css", contentType: "text/css; charset=utf-8", bytes: Array("p{}".utf8)),
            Asset(path: "/fonts/a.woff2", contentType: "font/woff2", bytes: [1, 2]),
        ]))

    private func get(_ path: String, _ headers: [(String, String)] = []) throws -> HTTPResponse {
        guard case .respond(let response) = router.route(try request("GET", path, headers: headers), at: noon) else {
            throw NotAResponse()
        }
        return response
    }

    private struct NotAResponse: Error {}

    @Test(arguments: [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("TEXT/HTML", "text/html; charset=utf-8"), ("*/*", "application/json"),
        ("application/json", "application/json"),
    ]) func theRootIsAPageForBrowsersAndADocumentForPrograms(accept: String, contentType: String) throws {
        let response = try get("/", [("Accept", accept)])
        #expect(response.head.status == 200)
        #expect(response.head.headers.first("Content-Type") == contentType)
        #expect(response.head.headers.first("Vary") == "Accept")
    }

    @Test func theRootDocumentHasTheOrchestratorsFields() throws {
        let document = try JSONValue(parsing: try get("/").body).object
        #expect(document?.members.map(\.key) == ["message", "version", "status", "architecture"])
        #expect(document?["status"]?.string == "active")
        #expect(document?["version"]?.string == Version.current)
    }

    @Test(arguments: ["/page.css", "/fonts/a.woff2"]) func filesComeWithATagAndRules(path: String) throws {
        let response = try get(path)
        #expect(response.head.status == 200)
        #expect(response.head.headers.first("Cache-Control") == "no-cache")
        #expect(response.head.headers.first("X-Content-Type-Options") == "nosniff")
        #expect(response.head.headers.first("Referrer-Policy") == "no-referrer")
        #expect(response.head.headers.first("Content-Security-Policy")?.contains("frame-ancestors 'none'") == true)
        #expect(response.head.headers.first("Content-Security-Policy")?.contains("\n") == false)
        #expect(response.head.headers.first("Content-Security-Policy")?.contains("connect-src 'self';") == true)
        let tag = try #require(response.head.headers.first("ETag"))
        #expect(tag.hasPrefix("\"") && tag.hasSuffix("\""))
    }

    @Test func whoHasTheFileGetsNoBytes() throws {
        let tag = try #require(try get("/page.css").head.headers.first("ETag"))
        for known in [tag, "W/" + tag, "\"other\", " + tag, "*"] {
            let response = try get("/page.css", [("If-None-Match", known)])
            #expect(response.head.status == 304)
            #expect(response.body.isEmpty)
            #expect(response.head.headers.first("ETag") == tag)
        }
        #expect(try get("/page.css", [("If-None-Match", "\"other\"")]).head.status == 200)
    }

    @Test func otherBytesHaveAnotherTag() {
        let tags = ["a", "b", "ab", "ba", ""].map {
            Asset(path: "/", contentType: "text/plain", bytes: Array($0.utf8)).entityTag
        }
        #expect(Set(tags).count == tags.count)
    }
}
