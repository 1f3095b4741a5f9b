import Chat
import Testing
import Wire

@testable import Agents

struct PromptTemplateTests {
    @Test(arguments: [
        ("", ""), ("You answer.", "You answer."), ("{{user_id}}", "ann"), ("{{ user_id }}!", "ann!"),
        ("{{agent_type}} in {{room_name}} on {{date}}", "model in Kitchen on 2026-01-31"),
        ("{{room.metadata.topic}}", "Rôti 🍗"), ("{{room.metadata.count}}", "3"), ("{{room.metadata.open}}", "true"),
        ("{{room.metadata.tags}}", #"["a"]"#), ("{{room.metadata.none}}", ""), ("{{room.metadata.missing}}", ""),
        ("{{room.metadata.a.b}}", "dotted"), ("{{room.metadata.}}", ""), ("a{{unknown}}b{{}}c", "abc"),
        ("{{USER_ID}}", ""), ("{{room.metadata.trap}}", "{{user_id}}"), ("{{user_id", "{{user_id"),
        ("a } b { c {d} {", "a } b { c {d} {"), ("}}{{user_id}}{{", "}}ann{{"), ("{{{user_id}}}", "}"),
        ("ü{{user_id}}ü", "üannü"), ("{{message.metadata.device}}", "phone"), ("{{resources.paper}}", "P 7"),
        ("{{message.metadata.resources}}", #"{"paper":"P 7"}"#), ("{{resources.none}}{{resources.}}", ""),
    ])
    func putsFactsInTheirPlaces(_ template: String, _ text: String) {
        let turn = AgentTurn.asking(
            roomMetadata: [
                "topic": "Rôti 🍗", "count": 3, "open": true, "tags": ["a"], "none": nil, "a.b": "dotted",
                "trap": "{{user_id}}",
            ], messageMetadata: ["device": "phone", "resources": ["paper": "P 7"]])
        #expect(PromptTemplate.render(template, turn) == text)
    }
}
