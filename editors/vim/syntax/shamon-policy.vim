" Colours for Shamon policies.
if exists('b:current_syntax') | finish | endif
syntax iskeyword @,48-57,_,.,-,/
syntax match shamonComment /#.*$/
syntax region shamonText start=/"/ skip=/\\"/ end=/"/ oneline
syntax match shamonStatement /^\s*\zs\<\(coalition\|include\|type\|category\|label\|wall\|allow\|member\|goal\|map\)\>/
syntax keyword shamonAttribute share secrecy integrity guard none
syntax keyword shamonWord revision host vm when and in platform attested within location image never reaches except through
syntax keyword shamonLevel open internal confidential secret low medium high internet
syntax match shamonService /\<\(tcp\|udp\)\(\/\d\+\(-\d\+\)\?\)\?\>\|\<icmp6\>\|\<icmp\>/
syntax match shamonOperator /<->\|->\|=/
highlight default link shamonComment Comment
highlight default link shamonText String
highlight default link shamonStatement Statement
highlight default link shamonAttribute Type
highlight default link shamonWord Keyword
highlight default link shamonLevel Constant
highlight default link shamonService Number
highlight default link shamonOperator Operator
let b:current_syntax = 'shamon-policy'
