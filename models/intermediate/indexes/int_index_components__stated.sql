-- What is known about a stock and an index, by day: in or out from that day on, by a list or by the change log. The
-- best source that answered for an index speaks alone. Where list and log disagree on a list's day, the list wins from
-- that day on.
{{ config(materialized='table', indexes=[{'columns': ['index_name', 'stock_code', 'trade_date']}]) }}

with

held as (
    {{ sources_held(ref('int_index_members__gated')) }}
),

lists as (
    select
        source,
        index_name,
        trade_date
    from {{ ref('int_index_members__unioned') }}
    where
        broken_rules = ''
        and (source, trade_date) not in (select held.source, held.trade_date from held)
),

members as (
    select * from {{ ref('int_index_members__versioned') }}
),

changes as (
    select * from {{ ref('int_index_changes__unioned') }}
    where broken_rules = ''
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'index_components'
),

answers as (
    select
        source,
        index_name
    from members
    union
    select
        source,
        index_name
    from changes
),

ranked_answers as (
    select
        answers.source,
        answers.index_name,
        row_number() over (
            partition by answers.index_name order by source_priorities.priority, answers.source
        ) as choice
    from answers
    left join source_priorities on answers.source = source_priorities.source
),

chosen as (
    select
        source,
        index_name
    from ranked_answers
    where choice = 1
),

chosen_members as (
    select members.*
    from members
    inner join chosen
        on
            members.source = chosen.source
            and members.index_name = chosen.index_name
),

chosen_changes as (
    select
        changes.*,
        row_number() over own_events as event_number,
        lead(changes.trade_date) over own_events as next_event_date
    from changes
    inner join chosen
        on
            changes.source = chosen.source
            and changes.index_name = chosen.index_name
    window own_events as (partition by changes.index_name, changes.stock_code order by changes.trade_date)
),

coverages as (
    select
        index_name,
        min(covered_from) as covered_from,
        max(covered_to) as covered_to
    from chosen_changes
    group by index_name
),

first_lists as (
    select
        source,
        index_name,
        min(list_date) as list_date,
        min(fetched_at) as fetched_at,
        min(first_fetched_at) as first_fetched_at
    from chosen_members
    group by source, index_name
),

stocks_with_events as (
    select
        source,
        index_name,
        stock_code,
        max(stock_name) as stock_name
    from chosen_changes
    group by source, index_name, stock_code
),

-- the first list lacks every stock that it does not name
changed_by_list as (
    select
        source,
        index_name,
        stock_code,
        list_date as state_date,
        stock_name,
        is_member,
        fetch_id,
        row_number,
        fetched_at,
        first_fetched_at
    from chosen_members
    union all
    select
        stocks_with_events.source,
        stocks_with_events.index_name,
        stocks_with_events.stock_code,
        first_lists.list_date as state_date,
        stocks_with_events.stock_name,
        false as is_member,
        null as fetch_id,
        null as row_number,
        first_lists.fetched_at,
        first_lists.first_fetched_at
    from stocks_with_events
    inner join first_lists
        on
            stocks_with_events.source = first_lists.source
            and stocks_with_events.index_name = first_lists.index_name
    left join chosen_members
        on
            stocks_with_events.source = chosen_members.source
            and stocks_with_events.index_name = chosen_members.index_name
            and stocks_with_events.stock_code = chosen_members.stock_code
            and first_lists.list_date = chosen_members.list_date
    where chosen_members.stock_code is null
),

worded as (
    select
        *,
        lead(state_date) over (partition by index_name, stock_code order by state_date) as next_state_date
    from changed_by_list
),

-- between its changes a list repeats itself; the first one on or after an event confirms it or not
next_lists as (
    select
        chosen_changes.source,
        chosen_changes.index_name,
        chosen_changes.stock_code,
        following.list_date
    from chosen_changes
    cross join lateral (
        select min(lists.trade_date) as list_date
        from lists
        where
            lists.source = chosen_changes.source
            and lists.index_name = chosen_changes.index_name
            and lists.trade_date >= chosen_changes.trade_date
    ) as following
),

checked_by_list as (
    select
        worded.source,
        worded.index_name,
        worded.stock_code,
        next_lists.list_date as state_date,
        worded.stock_name,
        worded.is_member,
        worded.fetch_id,
        worded.row_number,
        worded.fetched_at,
        worded.first_fetched_at
    from next_lists
    inner join worded
        on
            next_lists.source = worded.source
            and next_lists.index_name = worded.index_name
            and next_lists.stock_code = worded.stock_code
            and next_lists.list_date > worded.state_date
            and (worded.next_state_date is null or next_lists.list_date < worded.next_state_date)
),

said_by_list as (
    select * from changed_by_list
    union
    select * from checked_by_list
),

-- what the log says of a stock on the day of a list: by its last event, or the opposite of its first one
judged_by_log as (
    select
        said_by_list.*,
        coalesce(
            last_events.is_member,
            not first_events.is_member,
            -- no event at all: what the first list said holds, and any change after it is none of the log's
            case
                when said_by_list.state_date = first_lists.list_date then said_by_list.is_member
                else not said_by_list.is_member
            end
        ) as is_member_by_log,
        coverages.covered_from <= said_by_list.state_date
        and coverages.covered_to >= said_by_list.state_date as is_covered
    from said_by_list
    inner join first_lists
        on
            said_by_list.source = first_lists.source
            and said_by_list.index_name = first_lists.index_name
    left join coverages on said_by_list.index_name = coverages.index_name
    left join chosen_changes as first_events
        on
            said_by_list.index_name = first_events.index_name
            and said_by_list.stock_code = first_events.stock_code
            and first_events.event_number = 1
    left join chosen_changes as last_events
        on
            said_by_list.index_name = last_events.index_name
            and said_by_list.stock_code = last_events.stock_code
            and said_by_list.state_date >= last_events.trade_date
            and (last_events.next_event_date is null or said_by_list.state_date < last_events.next_event_date)
),

-- who leaves first, or is in the first list and in no event, has been a member since before the log begins
since_the_log_began as (
    select
        chosen_changes.source,
        chosen_changes.index_name,
        chosen_changes.stock_code,
        chosen_changes.covered_from as state_date,
        chosen_changes.stock_name,
        true as is_member,
        chosen_changes.fetch_id,
        chosen_changes.row_number,
        chosen_changes.fetched_at,
        chosen_changes.first_fetched_at
    from chosen_changes
    where
        chosen_changes.event_number = 1
        and not chosen_changes.is_member
        and chosen_changes.covered_from < chosen_changes.trade_date
    union all
    select
        chosen_members.source,
        chosen_members.index_name,
        chosen_members.stock_code,
        coverages.covered_from as state_date,
        chosen_members.stock_name,
        true as is_member,
        chosen_members.fetch_id,
        chosen_members.row_number,
        chosen_members.fetched_at,
        chosen_members.first_fetched_at
    from chosen_members
    inner join first_lists
        on
            chosen_members.index_name = first_lists.index_name
            and chosen_members.list_date = first_lists.list_date
    inner join coverages
        on
            chosen_members.index_name = coverages.index_name
            and chosen_members.list_date > coverages.covered_from
            and chosen_members.list_date <= coverages.covered_to
    left join stocks_with_events
        on
            chosen_members.index_name = stocks_with_events.index_name
            and chosen_members.stock_code = stocks_with_events.stock_code
    where stocks_with_events.stock_code is null
),

unioned as (
    select
        source,
        index_name,
        stock_code,
        state_date,
        stock_name,
        'LIST' as basis,
        is_member,
        case
            when is_covered and is_member <> is_member_by_log then 'LIST_AND_LOG_DISAGREE'
            else ''
        end as warned_rules,
        fetch_id,
        row_number,
        fetched_at,
        first_fetched_at
    from judged_by_log
    union all
    select
        source,
        index_name,
        stock_code,
        trade_date as state_date,
        stock_name,
        'LOG' as basis,
        is_member,
        '' as warned_rules,
        fetch_id,
        row_number,
        fetched_at,
        first_fetched_at
    from chosen_changes
    union all
    select
        source,
        index_name,
        stock_code,
        state_date,
        stock_name,
        'LOG_BEGIN' as basis,
        is_member,
        '' as warned_rules,
        fetch_id,
        row_number,
        fetched_at,
        first_fetched_at
    from since_the_log_began
),

final as (
    select
        source,
        index_name,
        stock_code,
        state_date as trade_date,
        stock_name,
        basis,
        is_member,
        -- of two words on one day the list's counts
        row_number() over (partition by index_name, stock_code, state_date order by basis) = 1 as is_decisive,
        warned_rules,
        fetch_id,
        row_number,
        fetched_at,
        first_fetched_at,
        min(first_fetched_at) over same_words as fact_first_fetched_at,
        min(first_fetched_at) filter (where basis = 'LOG') over same_words as log_first_fetched_at
    from unioned
    window same_words as (partition by index_name, stock_code, state_date, is_member)
)

select * from final
